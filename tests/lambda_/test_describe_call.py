import itertools
import os
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.lambda_.handlers.describe_call import index


@pytest.fixture
def context() -> SimpleNamespace:
    remaining = itertools.chain([9_000, 8_500])
    return SimpleNamespace(
        aws_request_id="request-1",
        function_name="describe",
        function_version="$LATEST",
        memory_limit_in_mb="128",
        get_remaining_time_in_millis=lambda: next(remaining),
    )


def describe(
    monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], context: Any
) -> dict[str, Any]:
    client = boto3.client("dynamodb", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(index, "dynamodb", client)
    monkeypatch.setenv("TABLE_NAME", "calls")
    with Stubber(client) as stub:
        stub.add_response(
            "update_item",
            {"Attributes": {"calls": {"N": "42"}}},
            {
                "TableName": "calls",
                "Key": {"function_name": {"S": "describe"}},
                "UpdateExpression": "ADD calls :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "UPDATED_NEW",
            },
        )
        return index.handler(event, context)


def test_the_answer_tells_of_event_context_and_variables(
    monkeypatch: pytest.MonkeyPatch, context: Any
) -> None:
    answer = describe(monkeypatch, {"text": "hello"}, context)

    environment = answer.pop("environment")
    assert answer == {
        "event": {"text": "hello"},
        "request_id": "request-1",
        "version": "$LATEST",
        "memory_mb": 128,
        "remaining_ms": {"before": 9_000, "after": 8_500},
        "table_name": "calls",
        "calls_ever": 42,
    }
    assert environment["calls"] >= 1


def test_it_sleeps_between_its_looks_at_the_clock_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, context: Any
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    describe(monkeypatch, {"sleep_seconds": 1.5}, context)

    assert slept == [1.5]
