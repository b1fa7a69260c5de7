import os
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.step_functions.handlers.answer_approval import index


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.client(
        "stepfunctions", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    monkeypatch.setattr(index, "stepfunctions", client)
    stub = Stubber(client)
    stub.activate()
    return stub


def open_link(path: str) -> dict[str, Any]:
    return index.handler({"resource": path, "queryStringParameters": {"token": "AQ+/="}}, None)


def test_approve_reports_success_with_the_decision(stub: Stubber) -> None:
    stub.add_response(
        "send_task_success", {}, {"taskToken": "AQ+/=", "output": '{"decision": "approved"}'}
    )

    assert open_link("/approve")["statusCode"] == 200
    stub.assert_no_pending_responses()


def test_reject_reports_the_error_that_the_workflow_knows(stub: Stubber) -> None:
    stub.add_response(
        "send_task_failure",
        {},
        {
            "taskToken": "AQ+/=",
            "error": "OrderRejected",
            "cause": "A person rejected the order.",
        },
    )

    assert open_link("/reject")["statusCode"] == 200
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("error", "status"),
    [("TaskTimedOut", 410), ("TaskDoesNotExist", 410), ("InvalidToken", 404)],
)
@pytest.mark.parametrize(
    ("path", "operation"), [("/approve", "send_task_success"), ("/reject", "send_task_failure")]
)
def test_a_token_that_is_over_or_broken_is_no_error_of_ours(
    stub: Stubber, path: str, operation: str, error: str, status: int
) -> None:
    stub.add_client_error(operation, error)

    assert open_link(path)["statusCode"] == status


def test_a_fault_of_step_functions_is_not_taken_for_an_answer(stub: Stubber) -> None:
    stub.add_client_error("send_task_success", "InternalFailure")

    with pytest.raises(index.stepfunctions.exceptions.ClientError):
        open_link("/approve")


def test_nobody_stores_the_address_or_hands_it_on(stub: Stubber) -> None:
    stub.add_response("send_task_success", {})

    headers = open_link("/approve")["headers"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
