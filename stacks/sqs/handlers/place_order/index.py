"""Places an order: all this side knows of the other is the queue."""

import json
import os
from typing import Any

import boto3

sqs = boto3.client("sqs")


def handler(order: dict[str, Any], context: object) -> dict[str, str]:
    sent = sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(order))
    return {"message_id": sent["MessageId"]}
