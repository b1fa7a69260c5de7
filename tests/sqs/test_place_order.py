import os

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.sqs.handlers.place_order import index


def test_an_order_is_sent_as_json_to_the_queue_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = boto3.client("sqs", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(index, "sqs", client)
    monkeypatch.setenv("QUEUE_URL", "https://queue")
    with Stubber(client) as stub:
        stub.add_response(
            "send_message",
            {"MessageId": "m-1", "MD5OfMessageBody": "5b87bd9c0ea0a5ac4a0d2c7a3e3b4f10"},
            {"QueueUrl": "https://queue", "MessageBody": '{"order_id": "1"}'},
        )

        assert index.handler({"order_id": "1"}, None) == {"message_id": "m-1"}
