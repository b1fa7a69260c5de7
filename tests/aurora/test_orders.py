"""What the function asks of the Data API."""

import os
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.aurora.handlers.orders import index

TARGET = {
    "resourceArn": "arn:aws:rds:us-east-1:111111111111:cluster:shop",
    "secretArn": "arn:aws:secretsmanager:us-east-1:111111111111:secret:password",
}
DATABASE = {"database": "shop"}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER_ARN", TARGET["resourceArn"])
    monkeypatch.setenv("SECRET_ARN", TARGET["secretArn"])
    monkeypatch.setenv("DATABASE", DATABASE["database"])
    monkeypatch.setattr(index, "prepared", True)


@pytest.fixture
def data_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Expects calls in this order, and no other."""
    client = boto3.client(
        "rds-data",
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )
    monkeypatch.setattr(index, "data_api", client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def statement(parameters: list[Any], **more: Any) -> dict[str, Any]:
    return {**TARGET, **DATABASE, "sql": ANY, "parameters": parameters, **more}


def test_before_its_first_order_a_new_environment_prepares_the_database_once(
    data_api: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "prepared", False)
    for sql in index.STATEMENTS:
        data_api.add_response(
            "execute_statement", {}, {**TARGET, **DATABASE, "sql": sql, "parameters": []}
        )
    for _ in range(2):
        data_api.add_response("execute_statement", {}, statement([ANY]))

    for _ in range(2):
        index.handler({"action": "remove", "order_id": "1"}, None)


@pytest.mark.parametrize("accepted", [True, False])
def test_an_order_is_placed_in_one_transaction_or_not_at_all(
    data_api: Stubber, accepted: bool
) -> None:
    within = {"transactionId": "t1"}
    order = {"name": "id", "value": {"stringValue": "1"}}
    line = [
        order,
        {"name": "article", "value": {"stringValue": "lamp"}},
        {"name": "quantity", "value": {"longValue": 2}},
    ]
    data_api.add_response("begin_transaction", within, {**TARGET, **DATABASE})
    data_api.add_response("execute_statement", {}, statement([order], **within))
    if accepted:
        data_api.add_response("execute_statement", {}, statement(line, **within))
        data_api.add_response("commit_transaction", {}, {**TARGET, **within})
    else:
        data_api.add_client_error("execute_statement", "BadRequestException")
        data_api.add_response("rollback_transaction", {}, {**TARGET, **within})
    event = {"action": "place", "order_id": "1", "lines": {"lamp": 2}}

    if accepted:
        index.handler(event, None)
    else:
        with pytest.raises(ClientError):
            index.handler(event, None)


def test_a_call_waits_for_a_paused_database_to_wake_up(
    data_api: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for _ in range(2):
        data_api.add_client_error("execute_statement", "DatabaseResumingException")
    data_api.add_response("execute_statement", {}, statement([ANY]))

    index.handler({"action": "remove", "order_id": "1"}, None)


def test_it_does_not_wait_for_ever(data_api: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "WAKING_S", -1)
    data_api.add_client_error("execute_statement", "DatabaseResumingException")

    with pytest.raises(ClientError, match="DatabaseResumingException"):
        index.handler({"action": "remove", "order_id": "1"}, None)


def test_an_order_is_found_with_its_lines_or_not_found(data_api: Stubber) -> None:
    def answers(*records: list[Any]) -> None:
        data_api.add_response("execute_statement", {"records": list(records)}, statement([ANY]))

    answers([{"stringValue": "1"}])
    answers([{"stringValue": "lamp"}, {"longValue": 2}], [{"stringValue": "x"}, {"isNull": True}])
    answers()
    event = {"action": "find", "order_id": "1"}

    assert index.handler(event, None) == {"lamp": 2, "x": None}
    assert index.handler(event, None) is None
