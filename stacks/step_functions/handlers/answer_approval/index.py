"""Takes a person's answer, given by opening a link, back to the workflow that waits for it."""

import json
from http import HTTPStatus
from typing import Any

import boto3

stepfunctions = boto3.client("stepfunctions")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    token = event["queryStringParameters"]["token"]
    try:
        if event["resource"] == "/approve":
            stepfunctions.send_task_success(
                taskToken=token, output=json.dumps({"decision": "approved"})
            )
            return page(HTTPStatus.OK, "Thank you. The order goes on.")
        stepfunctions.send_task_failure(
            taskToken=token, error="OrderRejected", cause="A person rejected the order."
        )
        return page(HTTPStatus.OK, "Thank you. The order is cancelled.")
    except (
        stepfunctions.exceptions.TaskDoesNotExist,
        stepfunctions.exceptions.TaskTimedOut,
    ):
        return page(HTTPStatus.GONE, "This order has been answered already, or given up.")
    except stepfunctions.exceptions.InvalidToken:
        return page(HTTPStatus.NOT_FOUND, "This link is incomplete.")


def page(status: HTTPStatus, text: str) -> dict[str, Any]:
    return {
        "statusCode": status.value,
        "headers": {
            "Content-Type": "text/plain; charset=utf-8",
            # The address holds the token: nobody is to store it or hand it on.
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        },
        "body": f"{text}\n",
    }
