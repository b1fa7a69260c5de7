"""Tiny projects to rehearse, and an emulator that several tests share."""

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from rehearsal.cdk import Toolkit
from rehearsal.emulator import Emulator
from rehearsal.environment import ACCOUNT, REGION, ROOT, rehearsal_environment
from rehearsal.processes import Workshop

Template = dict[str, Any]

# What synthesis does, in a tenth of a second: the templates are there already.
APP = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDK_OUTDIR"])
artifacts = {}
for name, template in json.loads(pathlib.Path("templates.json").read_text()).items():
    (out / f"{name}.template.json").write_text(json.dumps(template))
    artifacts[name] = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": f"{name}.template.json", "stackName": f"tiny-{name}"},
        "displayName": name,
        "dependencies": template.get("Metadata", {}).get("Dependencies", []),
    }
manifest = {"version": "55.0.0", "artifacts": artifacts}
(out / "manifest.json").write_text(json.dumps(manifest))
"""
PYTEST = """
[tool.pytest.ini_options]
addopts = "--import-mode=importlib"
markers = ["aws_only"]
"""


@dataclass
class Project:
    """A project to rehearse: templates instead of an app, exercises instead of blueprints."""

    directory: Path
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.directory / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} app.py"}))
        (self.directory / "app.py").write_text(APP)
        (self.directory / "pyproject.toml").write_text(PYTEST)
        (self.directory / "tmp").mkdir()

    def compose(self, **templates: Template) -> "Project":
        """Make a blueprint of each template, after the ``Dependencies`` in its metadata."""
        (self.directory / "templates.json").write_text(json.dumps(templates))
        for name in templates:
            folder = self.directory / "stacks" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "stack.py").touch()
        return self

    def synthesize(self, assembly: Path) -> None:
        """Do what the CDK CLI does to synthesize, without the CLI."""
        subprocess.run(
            [sys.executable, "app.py"],
            cwd=self.directory,
            env={"CDK_OUTDIR": str(assembly)},
            check=True,
        )

    def exercise(self, blueprint: str, source: str) -> None:
        """Give a blueprint its exercise."""
        (self.directory / "stacks" / blueprint / "exercise.py").write_text(textwrap.dedent(source))

    def environment(self, **more: str) -> dict[str, str]:
        """As of a user whose temporary files lie in the project, so that none escapes a test."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return own | {
            "TMPDIR": str(self.directory / "tmp"),
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **more,
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start ``python -m rehearsal`` in the project."""
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "rehearsal", *arguments],
            cwd=self.directory,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """Kill what a failed test has left running; what that had started goes with it."""
        for process in self._started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run ``python -m rehearsal`` in the project: its exit status and what it printed."""
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=100)
        return process.returncode, output

    def survivors(self) -> list[str]:
        """Processes that know the project's directory, and temporary files in it."""
        listing = subprocess.run(
            ["ps", "axeww", "-o", "pid=", "-o", "command="],
            capture_output=True,
            text=True,
            check=True,
        )
        processes = [line for line in listing.stdout.splitlines() if str(self.directory) in line]
        return processes + [str(path) for path in (self.directory / "tmp").iterdir()]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    project = Project(tmp_path)
    yield project
    project.stop()


@dataclass
class Cloud:
    """A local AWS, the CDK CLI pointed at it, and boto3 clients for it."""

    workshop: Workshop
    emulator: Emulator
    toolkit: Toolkit

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator."""
        return boto3.client(
            service,
            endpoint_url=self.emulator.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="rehearsal",
        )

    def create(self, name: str, template: Template) -> None:
        """Make a stack of a template."""
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1}
        )

    def delete(self, name: str) -> None:
        """Delete a stack."""
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1}
        )


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """A local AWS for many tests; each destroys what it deployed."""
    with Workshop() as workshop, Emulator(workshop) as emulator:
        emulator.wait_until_ready()
        environment = rehearsal_environment(workshop.directory / "home", emulator.endpoint)
        yield Cloud(workshop, emulator, Toolkit(workshop, environment))


@pytest.fixture
def soon() -> Callable[[Callable[[], bool]], None]:
    """Wait, at most half a minute, until something is so."""

    def wait_for(it: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not it():
            assert time.monotonic() < deadline, "not so after half a minute"
            time.sleep(0.05)

    return wait_for
