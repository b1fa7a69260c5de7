"""However a rehearsal ends, none of its processes and files outlives it."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.processes import Workshop
from tests.rehearsal.conftest import Project

Soon = Callable[[Callable[[], bool]], None]

FUNCTION = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Slow": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": 60,
                "Code": {"ZipFile": "def handler(event, context):\n    return 'warm'"},
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    },
    "Outputs": {"Slow": {"Value": {"Ref": "Slow"}}},
}
WARM_AND_WAIT = """
import time

def test_a_function_is_warm(client, outputs):
    client("lambda").invoke(FunctionName=outputs["Slow"])

def test_that_takes_long():
    time.sleep(60)
"""


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process prints up to and including a line with the text."""
    assert process.stdout
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"no '{text}' in:\n{seen}")


def emulators(project: Project) -> list[int]:
    """The process ids of the project's emulators."""
    return [
        int(line.split()[0]) for line in project.survivors() if re.search("rehearsal.server", line)
    ]


def test_ctrl_c_stops_everything(project: Project) -> None:
    project.compose(function=FUNCTION).exercise("function", WARM_AND_WAIT)
    process = project.start("rehearse", "function")
    read_until(process, "answers on")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert (process.returncode, output) == (
        130,
        "rehearsal: interrupted; all it had started is stopped\n",
    )
    assert project.survivors() == []


def test_ctrl_c_while_a_process_begins_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen

    def begin_and_interrupt(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(begin(*arguments, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return begun[0]

    with Workshop() as workshop:
        monkeypatch.setattr(subprocess, "Popen", begin_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            workshop.start("sleep", ["sleep", "60"], environment={})
    assert begun[0].poll() == -signal.SIGKILL


def test_nothing_outlives_a_killed_rehearsal(project: Project, soon: Soon) -> None:
    project.compose(function=FUNCTION).exercise("function", WARM_AND_WAIT)
    process = project.start("rehearse", "function")
    read_until(process, "a function is warm")
    assert emulators(project)
    process.kill()
    process.communicate()

    soon(lambda: project.survivors() == [])


def test_an_emulator_that_dies_ends_the_rehearsal_with_its_last_words(project: Project) -> None:
    project.compose(function=FUNCTION).exercise("function", WARM_AND_WAIT)
    process = project.start("rehearse", "function")
    read_until(process, "app synthesized")
    os.kill(emulators(project)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "rehearsal: the emulator ended (exit status -9) although it was not stopped" in output
    assert "its log ends:\n  " in output
    assert "Traceback" not in output
    assert project.survivors() == []


def test_a_taken_port_is_named_before_anything_starts(project: Project) -> None:
    project.compose(function=FUNCTION)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output = project.run("rehearse", "function", "--port", str(port))

    assert status == 1
    assert output == (
        f"rehearsal: port {port} is taken by another program; choose another one with --port, "
        "or leave --port out and a free one is found\n"
    )
    assert project.survivors() == []
