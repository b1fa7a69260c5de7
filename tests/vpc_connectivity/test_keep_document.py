import os

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.vpc_connectivity.handlers.keep_document import index


def test_a_document_is_put_under_its_key_into_the_bucket_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = boto3.client("s3", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(index, "s3", client)
    monkeypatch.setenv("BUCKET_NAME", "documents-of-a")
    with Stubber(client) as stub:
        stub.add_response(
            "put_object",
            {},
            {"Bucket": "documents-of-a", "Key": "documents/1.txt", "Body": "née".encode()},
        )

        index.handler({"key": "documents/1.txt", "text": "née"}, None)

        stub.assert_no_pending_responses()
