import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rehearsal.extension.conftest import ACCOUNT, Client, Server

AN_HOUR = 3600


@pytest.fixture
def stepfunctions(client: Client) -> Any:
    return client("stepfunctions")


@pytest.fixture
def queue(client: Client) -> Iterator[str]:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"tokens-{time.monotonic_ns()}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def execution(stepfunctions: Any, queue: str) -> Iterator[str]:
    """A workflow that waits for its token, for an hour."""
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
        "TimeoutSeconds": AN_HOUR,
        "End": True,
    }
    machine = stepfunctions.create_state_machine(
        name=f"asks-{time.monotonic_ns()}",
        definition=json.dumps({"StartAt": "Ask", "States": {"Ask": ask}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/none",
    )["stateMachineArn"]
    yield stepfunctions.start_execution(stateMachineArn=machine)["executionArn"]
    stepfunctions.delete_state_machine(stateMachineArn=machine)


def token(client: Client, queue: str) -> str:
    answer = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    [message] = answer["Messages"]
    return str(json.loads(message["Body"])["token"])


def end(stepfunctions: Any, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while True:
        described: dict[str, Any] = stepfunctions.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING" or time.monotonic() > deadline:
            return described
        time.sleep(0.05)


def test_a_workflow_gives_up_on_its_token_when_the_clock_is_moved_past_its_timeout(
    server: Server, client: Client, stepfunctions: Any, queue: str, execution: str
) -> None:
    token(client, queue)
    server.request("POST", f"/_rehearsal/clock?advance={AN_HOUR - 60}")
    time.sleep(0.2)
    described = stepfunctions.describe_execution(executionArn=execution)
    assert described["status"] == "RUNNING"

    server.request("POST", "/_rehearsal/clock?advance=60")
    described = end(stepfunctions, execution)
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")


def test_a_workflow_goes_on_as_soon_as_its_token_returns(
    client: Client, stepfunctions: Any, queue: str, execution: str
) -> None:
    stepfunctions.send_task_success(taskToken=token(client, queue), output='"yes"')

    described = end(stepfunctions, execution)
    assert (described["status"], described["output"]) == ("SUCCEEDED", '"yes"')
