"""The images that AWS's public parameters name."""

from collections.abc import Mapping

_LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel"

_ECS_OPTIMIZED = "/aws/service/ecs/optimized-ami/amazon-linux-2023"

# MiniStack has the parameters of x86 only. An image is a name here: what is launched from it runs
# nothing.
PUBLIC_PARAMETERS: Mapping[str, str] = {
    f"{_LATEST}-{kernel}-{architecture}": image
    for kernel in ("default", "6.1")
    for architecture, image in (
        ("x86_64", "ami-0c2023a1b2c3d4e5f"),
        ("arm64", "ami-0c2023a1b2c3d4a64"),
    )
} | {
    f"{_ECS_OPTIMIZED}/recommended/image_id": "ami-0c2023a1b2c3dec5f",
    f"{_ECS_OPTIMIZED}/arm64/recommended/image_id": "ami-0c2023a1b2c3dec64",
}
