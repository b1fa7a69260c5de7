import os
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.dynamodb.handlers.record_changes import index

KEYS = {"user_id": {"S": "ada"}, "game_id": {"S": "chess"}}
BEFORE, AFTER = ({**KEYS, "points": {"N": points}} for points in ("10", "20"))


def record(event: str, sequence_number: str, **stream: Any) -> dict[str, Any]:
    return {
        "eventName": event,
        "dynamodb": {"Keys": KEYS, "SequenceNumber": sequence_number, **stream},
    }


def test_a_change_is_remembered_with_the_item_before_and_after() -> None:
    change = index.change(record("MODIFY", "7", OldImage=BEFORE, NewImage=AFTER))

    assert change == {
        "score": {"S": "ada/chess"},
        "sequence_number": {"S": "7".zfill(40)},
        "event": {"S": "MODIFY"},
        "before": {"M": BEFORE},
        "after": {"M": AFTER},
    }


def test_what_is_inserted_has_no_before_and_what_is_removed_no_after() -> None:
    assert "before" not in index.change(record("INSERT", "1", NewImage=AFTER))
    assert "after" not in index.change(record("REMOVE", "2", OldImage=AFTER))


def test_changes_sort_as_they_happened() -> None:
    earlier, later = (index.change(record("MODIFY", number)) for number in ("999", "1000"))
    assert earlier["sequence_number"]["S"] < later["sequence_number"]["S"]


def test_a_removal_by_dynamodb_says_so() -> None:
    removal = record("REMOVE", "3", OldImage=BEFORE)
    removal["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert index.change(removal)["by"] == {"S": "dynamodb.amazonaws.com"}


def test_a_change_that_cannot_be_stored_fails_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("dynamodb", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(index, "dynamodb", client)
    monkeypatch.setenv("TABLE_NAME", "changes")
    good, bad = (record("INSERT", number, NewImage=AFTER) for number in ("1", "2"))
    with Stubber(client) as stub:
        stub.add_response("put_item", {}, {"TableName": "changes", "Item": index.change(good)})
        stub.add_client_error("put_item", "ValidationException")
        with pytest.raises(ClientError, match="ValidationException"):
            index.handler({"Records": [good, bad]}, None)
        stub.assert_no_pending_responses()
