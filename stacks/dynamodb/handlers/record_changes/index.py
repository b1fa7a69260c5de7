"""Stores what the stream tells of a score: what happened, and the item before and after."""

import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")

# The longest sequence number: padded to this, they sort as text.
SEQUENCE_DIGITS = 40


def handler(event: dict[str, Any], context: object) -> None:
    for record in event["Records"]:
        # A failure fails the batch, which Lambda then halves and repeats: the key makes the copy
        # of a change that was stored before replace it.
        dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=change(record))


def change(record: dict[str, Any]) -> dict[str, Any]:
    """The item that remembers a stream record. Images are items already, if without binaries."""
    stream = record["dynamodb"]
    keys = stream["Keys"]
    item: dict[str, Any] = {
        "score": {"S": f"{keys['user_id']['S']}/{keys['game_id']['S']}"},
        "sequence_number": {"S": stream["SequenceNumber"].zfill(SEQUENCE_DIGITS)},
        "event": {"S": record["eventName"]},
    }
    if "OldImage" in stream:
        item["before"] = {"M": stream["OldImage"]}
    if "NewImage" in stream:
        item["after"] = {"M": stream["NewImage"]}
    # Only what DynamoDB does on its own, like removing the expired, names who did it.
    if identity := record.get("userIdentity"):
        item["by"] = {"S": identity["principalId"]}
    return item
