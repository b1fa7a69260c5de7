"""One emulator for all of these tests, and stacks of hand-written templates on it."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "111111111111"

Resources = dict[str, dict[str, Any]]
Client = Callable[[str], Any]


@dataclass
class Server:
    """A running emulator."""

    process: subprocess.Popen[bytes]
    port: int
    state: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str) -> Any:
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}{path}", method=method), timeout=5
        ) as answer:
            return json.load(answer)

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="rehearsal",
            config=Config(
                signature_version="s3v4" if service == "s3" else None,
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
            ),
            **options,
        )


def start_server(state: Path, *options: str) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal.server", "--port", str(port), "--state", state, *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = Server(process, port, state)
    deadline = time.monotonic() + 30
    while True:
        try:
            server.request("GET", "/_rehearsal/health")
        except OSError:
            assert process.poll() is None, "the server ended while it started"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        else:
            return server


def stop_server(server: Server) -> None:
    assert server.process.stdin
    server.process.stdin.close()
    server.process.wait(10)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("emulator"))
    yield server
    stop_server(server)


@pytest.fixture(scope="session")
def client(server: Server) -> Client:
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = server.client(service)
        return clients[service]

    return client


class Stack:
    """A stack of the emulator, made of a template's resources."""

    def __init__(self, cloudformation: Any, name: str) -> None:
        self._cloudformation = cloudformation
        self.name = name

    def create(self, resources: Resources, **outputs: Any) -> "Stack":
        self._cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=_template(resources, outputs),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "team", "Value": "rehearsal"}],
        )
        return self

    def update(self, resources: Resources, **outputs: Any) -> None:
        self._cloudformation.update_stack(
            StackName=self.name,
            TemplateBody=_template(resources, outputs),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        assert self.status == "UPDATE_COMPLETE", self.reasons

    def delete(self) -> None:
        stack_id = self._describe(self.name)["StackId"]
        self._cloudformation.delete_stack(StackName=self.name)
        assert self._end(stack_id) == "DELETE_COMPLETE", self.reasons

    @property
    def status(self) -> str:
        """How its latest operation ended, however busy this machine is."""
        return self._end(self.name)

    def _end(self, stack: str) -> str:
        deadline = time.monotonic() + 60
        while True:
            status = str(self._describe(stack)["StackStatus"])
            if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                return status

    def _describe(self, stack: str) -> dict[str, Any]:
        described: dict[str, Any] = self._cloudformation.describe_stacks(StackName=stack)
        return dict(described["Stacks"][0])

    @property
    def outputs(self) -> dict[str, str]:
        described = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    @property
    def reasons(self) -> list[str]:
        events = self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
        ]

    def __getitem__(self, logical_id: str) -> str:
        """The physical id of one of its resources."""
        detail = self._cloudformation.describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])


Deploy = Callable[..., Stack]


@pytest.fixture
def attempt(client: Client) -> Iterator[Deploy]:
    """Create a stack, whatever becomes of it."""
    cloudformation = client("cloudformation")
    attempted: list[str] = []

    def attempt(resources: Resources, **outputs: Any) -> Stack:
        stack = Stack(cloudformation, f"test-{time.monotonic_ns()}")
        attempted.append(stack.name)
        return stack.create(resources, **outputs)

    yield attempt
    for name in attempted:
        cloudformation.delete_stack(StackName=name)


@pytest.fixture
def deploy(attempt: Deploy) -> Deploy:
    """Create a stack, which has to succeed."""

    def deploy(resources: Resources, **outputs: Any) -> Stack:
        stack = attempt(resources, **outputs)
        assert stack.status == "CREATE_COMPLETE", stack.reasons
        return stack

    return deploy


def _template(resources: Resources, outputs: dict[str, Any]) -> str:
    return json.dumps(
        {
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
    )
