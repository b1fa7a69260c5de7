"""Fulfils a batch of orders, each once, and names the ones that failed so only they are retried."""

import json
import logging
import os
import time
from typing import Any

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

# Longer than the queue keeps a message (4 days), so that no copy outlives the memory of the first.
REMEMBERED_SECONDS = 7 * 24 * 3600


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    failures = []
    for record in event["Records"]:
        try:
            fulfil(order_id(record["body"]), now=int(time.time()))
        except Exception:
            logger.exception("Not fulfilled: message %s", record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def order_id(body: str) -> str:
    """Read the order's id, or raise ValueError: an order without one cannot be fulfilled."""
    order = json.loads(body)
    if not isinstance(order, dict) or not isinstance(order.get("order_id"), str):
        raise ValueError("an order is an object with an order_id")
    return str(order["order_id"])


def fulfil(order_id: str, *, now: int) -> None:
    try:
        dynamodb.put_item(
            TableName=os.environ["TABLE_NAME"],
            Item={
                "order_id": {"S": order_id},
                "expires_at": {"N": str(now + REMEMBERED_SECONDS)},
            },
            ConditionExpression="attribute_not_exists(order_id)",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        logger.info("Fulfilled before: order %s", order_id)
        return
    logger.info("Fulfilled: order %s", order_id)
