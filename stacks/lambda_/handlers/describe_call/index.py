"""Tells what a function gets to know of a call, and what outlives the call."""

import os
import time
from typing import Any

import boto3

# From the layer: nothing in this folder has it.
import execution_environment  # type: ignore[import-not-found]

# Made once per execution environment; a client per call would open a connection per call.
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    remaining = context.get_remaining_time_in_millis()
    time.sleep(event.get("sleep_seconds", 0))
    return {
        "event": event,
        "request_id": context.aws_request_id,
        "version": context.function_version,
        "memory_mb": int(context.memory_limit_in_mb),  # AWS gives it as text
        "remaining_ms": {"before": remaining, "after": context.get_remaining_time_in_millis()},
        "table_name": os.environ["TABLE_NAME"],
        "environment": execution_environment.serve(),
        "calls_ever": count_call(context.function_name),
    }


def count_call(function_name: str) -> int:
    """Count in a table, because what an environment remembers is neither shared nor kept."""
    counted = dynamodb.update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"function_name": {"S": function_name}},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(counted["Attributes"]["calls"]["N"])
