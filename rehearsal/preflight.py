"""What must be there before anything starts, each with the one line that says so if it is not.

Runs on Pythons that are too old for the rest, so it imports and uses nothing new.
"""

import shutil
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
# The emulator's state, the assembly and the assets of every blueprint, with room to spare.
DISK_MB = 500


def wrong_python(version: tuple[int, int]) -> str:
    """Why this Python will not do; empty if it will."""
    if version >= OLDEST_PYTHON:
        return ""
    given = ".".join(map(str, version))
    return (
        f"Python {given} is too old; install Python 3.11 or later, remove .venv and run make again"
    )


def missing_tools(project: Path, cdk: Path, node: Path) -> str:
    """Which tool is missing; empty if none is."""
    if not (project / "cdk.json").exists():
        return f"there is no cdk.json in {project}; run this from the project's own directory"
    for tool, name in ((node, "Node.js"), (cdk, "the CDK CLI")):
        if not tool.exists():
            return f"{name} is not installed ({tool}); run `make setup`"
    return ""


def full_disk(directory: Path) -> str:
    """Why there is no room to work in the directory; empty if there is."""
    free = shutil.disk_usage(directory).free // 1_000_000
    if free >= DISK_MB:
        return ""
    return f"only {free} MB are free in {directory}; free {DISK_MB} MB, or set TMPDIR elsewhere"


def refuse_wrong_python() -> None:
    """End the program on a Python that the rest cannot be imported with."""
    if complaint := wrong_python(sys.version_info[:2]):
        sys.exit(f"rehearsal: {complaint}")
