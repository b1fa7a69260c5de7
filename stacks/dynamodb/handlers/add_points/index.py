"""Adds points to a score: reads, computes, writes, and starts over if another writer was faster."""

import logging
import os
import random
import time
from typing import Any, NamedTuple

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

POINTS_PER_TIER = 100
ATTEMPTS = 10
LONGEST_PAUSE_S = 0.2


class Score(NamedTuple):
    """A score as it was read or shall be written; version 0 was never written."""

    points: int = 0
    tier: int = 1
    version: int = 0


class ContentionError(Exception):
    """Others were faster every time."""


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    key = {"user_id": {"S": event["user_id"]}, "game_id": {"S": event["game_id"]}}
    return add_points(key, int(event["points"]), kind=event.get("kind", "practice"))


def add_points(key: dict[str, Any], points: int, *, kind: str) -> dict[str, int]:
    for attempt in range(1, ATTEMPTS + 1):
        score = advanced(read(key), points)
        try:
            write(key, score, kind=kind)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            logger.info("Attempt %d lost to another writer", attempt)
            # Those who lost together would otherwise meet again.
            time.sleep(random.uniform(0, LONGEST_PAUSE_S))
        else:
            return {**score._asdict(), "attempts": attempt}
    raise ContentionError(f"lost {ATTEMPTS} times to other writers; try again later")


def advanced(score: Score, points: int) -> Score:
    """The score that follows: computed from what was read, so ``ADD`` alone would not do."""
    total = score.points + points
    return Score(total, 1 + total // POINTS_PER_TIER, score.version + 1)


def read(key: dict[str, Any]) -> Score:
    # An eventually consistent read may return the version that has just lost.
    answer = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key=key, ConsistentRead=True)
    item = answer.get("Item", {})
    return Score(**{name: int(item[name]["N"]) for name in Score._fields if name in item})


def write(key: dict[str, Any], score: Score, *, kind: str) -> None:
    """Write a score, provided that nobody has written since the version before it was read."""
    dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key=key,
        UpdateExpression="SET points = :points, tier = :tier, version = :version, kind = :kind",
        ConditionExpression="version = :read OR (:read = :never AND attribute_not_exists(version))",
        ExpressionAttributeValues={
            ":points": {"N": str(score.points)},
            ":tier": {"N": str(score.tier)},
            ":version": {"N": str(score.version)},
            ":kind": {"S": kind},
            ":read": {"N": str(score.version - 1)},
            ":never": {"N": "0"},
        },
    )
