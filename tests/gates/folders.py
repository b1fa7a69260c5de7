"""Where the files of a blueprint are."""

import keyword
from pathlib import Path

ROOT = Path(__file__).parents[2]
STACKS = ROOT / "stacks"
TESTS = ROOT / "tests"


def folder_of(blueprint: str) -> str:
    """The name of its folders: ``lambda`` is ``lambda_`` there, ``ecs-fargate`` ``ecs_fargate``."""
    name = blueprint.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def blueprint_of(folder: str) -> str:
    """The stack's id, which users type."""
    return folder.rstrip("_").replace("_", "-")


def folders() -> list[str]:
    """Of every blueprint there is."""
    return sorted(path.parent.name for path in STACKS.glob("*/stack.py"))
