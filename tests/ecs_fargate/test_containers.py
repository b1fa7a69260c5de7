"""Both containers as the task definition starts them, as processes of this machine."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.assembly import Assembly

TASK = "0123456789abcdef"


class Metadata(BaseHTTPRequestHandler):
    """What ECS tells containers about their task."""

    def do_GET(self) -> None:
        assert self.path == "/v4/task"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"TaskARN": f"arn:aws:ecs:::task/shop/{TASK}"}).encode())


@pytest.fixture
def metadata() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v4"
    server.shutdown()
    server.server_close()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def commands(sandbox: Assembly, tmp_path: Path, port: int) -> dict[str, list[str]]:
    """The commands of the template, with volumes and a port of this machine."""
    (tmp_path / "page").mkdir()
    (tmp_path / "kept").mkdir()

    def here(argument: str) -> str:
        for mounted in ("/page", "/kept"):
            argument = argument.replace(f'Path("{mounted}', f'Path("{tmp_path}{mounted}')
        return argument.replace("python", sys.executable, argument == "python").replace(
            "8080", str(port), argument == "8080"
        )

    [task] = sandbox.stacks["ecs-fargate"].of_type("AWS::ECS::TaskDefinition").values()
    return {
        container["Name"]: [here(argument) for argument in container["Command"]]
        for container in task["ContainerDefinitions"]
    }


def eventually(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return dict(json.load(answer))
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.05)


def test_the_web_container_serves_what_the_side_car_wrote_and_both_stop_when_asked(
    commands: dict[str, list[str]], metadata: str, tmp_path: Path, port: int
) -> None:
    environment = {"ECS_CONTAINER_METADATA_URI_V4": metadata}
    side_car = subprocess.Popen(commands["SideCar"], env=environment)
    deadline = time.monotonic() + 20
    while not (tmp_path / "page" / "page.json").exists():
        assert time.monotonic() < deadline, "the side-car writes nothing"
        time.sleep(0.05)
    web = subprocess.Popen(commands["Web"], env={}, stderr=subprocess.DEVNULL)
    try:
        answer = eventually(f"http://127.0.0.1:{port}/fargate/")
        assert answer["page"]["task"] == TASK
        assert answer["tasks"] == [TASK]
    finally:
        for process in (web, side_car):
            process.terminate()
    assert [process.wait(10) for process in (web, side_car)] == [0, 0]
