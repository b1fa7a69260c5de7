"""Tells who answers, and in which shape the load balancer has put the request."""

import json
import os
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = {
        "target": os.environ["TARGET"],
        "path": event["path"],
        "query": event.get("queryStringParameters") or {},
        "event": sorted(event["requestContext"]),
    }
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(answer),
        "isBase64Encoded": False,
    }
