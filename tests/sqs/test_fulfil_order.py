import os
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.sqs.handlers.fulfil_order import index


@pytest.mark.parametrize(
    "body", ["not json", "[]", "{}", '{"order_id": 7}'], ids=["text", "list", "no id", "number"]
)
def test_an_order_without_an_id_cannot_be_fulfilled(body: str) -> None:
    with pytest.raises(ValueError, match=r"order_id|Expecting"):
        index.order_id(body)


def test_only_the_failed_orders_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fulfilled = []
    monkeypatch.setattr(index, "fulfil", lambda order_id, now: fulfilled.append(order_id))
    event = {
        "Records": [
            {"messageId": "good", "body": '{"order_id": "1"}'},
            {"messageId": "bad", "body": "not an order"},
        ]
    }

    assert index.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert fulfilled == ["1"]


def test_an_order_is_remembered_longer_than_the_queue_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = put(monkeypatch, answer={})

    assert item["order_id"] == {"S": "1"}
    assert int(item["expires_at"]["N"]) > 1000 + 4 * 24 * 3600


def test_an_order_fulfilled_before_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, answer="ConditionalCheckFailedException")


def put(monkeypatch: pytest.MonkeyPatch, answer: Any) -> dict[str, Any]:
    """Fulfil order 1 at second 1000 and return the item written."""
    client = boto3.client("dynamodb", aws_access_key_id="testing", aws_secret_access_key="testing")
    written: dict[str, Any] = {}
    client.meta.events.register(
        "provide-client-params.dynamodb.PutItem", lambda params, **_: written.update(params)
    )
    monkeypatch.setattr(index, "dynamodb", client)
    monkeypatch.setenv("TABLE_NAME", "fulfilled")
    with Stubber(client) as stub:
        if isinstance(answer, str):
            stub.add_client_error("put_item", answer)
        else:
            stub.add_response("put_item", answer)
        index.fulfil("1", now=1000)
        stub.assert_no_pending_responses()
    assert written["ConditionExpression"] == "attribute_not_exists(order_id)"
    item: dict[str, Any] = written["Item"]
    return item
