"""Puts a document into the bucket."""

import os

import boto3

s3 = boto3.client("s3")


def handler(document: dict[str, str], context: object) -> None:
    s3.put_object(
        Bucket=os.environ["BUCKET_NAME"], Key=document["key"], Body=document["text"].encode()
    )
