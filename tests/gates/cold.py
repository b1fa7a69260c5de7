"""Synthesis as a stranger's machine does it: nothing at hand but Python, and no network."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.assembly import CONTEXT
from tests.gates.folders import ROOT

OFFLINE = Path(__file__).parent / "offline"
SOURCES = ("app.py", "settings.py", "constructs", "stacks")


@dataclass(frozen=True)
class ColdRun:
    """One `python app.py`, as the CDK CLI starts it.

    Attributes:
        outdir: Where the assembly went; empty if the app refused.
        witness: What every Node wrote that ran with its network closed: its script, a line each.
    """

    outdir: Path
    witness: str
    status: int
    stderr: str


def closed_environment(machine: Path, **more: str) -> dict[str, str]:
    """Environment variables without a home, programs, credentials or network.

    Args:
        machine: A directory for what is made up.
        more: Added to these.
    """
    for name in ("home", "bin", "cwd"):
        (machine / name).mkdir(parents=True, exist_ok=True)
    # The CDK is unpacked once per machine; that takes ten seconds and says nothing about the app.
    unpacked = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
    return {
        "HOME": str(machine / "home"),
        "PATH": str(machine / "bin"),
        "PYTHONPATH": str(OFFLINE),
        "NODE_OPTIONS": f'--require "{OFFLINE / "closed.cjs"}"',
        "OFFLINE_WITNESS": str(machine / "witness"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": os.environ.get(
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(unpacked)
        ),
        **more,
    }


def run_app(
    machine: Path, context: dict[str, Any], *, sources: Path = ROOT, **environment: str
) -> ColdRun:
    """Start the app in a closed environment and another working directory.

    Args:
        machine: A directory for what is made up.
        context: As after ``-c``; the rest is cdk.json's.
        sources: Where app.py lies.
        environment: Added to the closed one.
    """
    outdir = machine / "cdk.out"
    closed = closed_environment(
        machine,
        CDK_OUTDIR=str(outdir),
        CDK_CONTEXT_JSON=json.dumps({**CONTEXT, **context}),
        **environment,
    )
    completed = subprocess.run(
        [sys.executable, str(sources / "app.py")],
        cwd=machine / "cwd",
        env=closed,
        capture_output=True,
        text=True,
        check=False,
    )
    witness = machine / "witness"
    return ColdRun(
        outdir,
        witness.read_text() if witness.exists() else "",
        completed.returncode,
        completed.stderr,
    )


def copy_sources(directory: Path) -> Path:
    """The app's sources in another directory, without what Python left behind."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory)
    return directory
