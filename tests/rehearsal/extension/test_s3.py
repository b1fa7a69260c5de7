from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import ACCOUNT, Client, Deploy, Resources

VERSIONED = {"Status": "Enabled"}


def bucket(**properties: Any) -> Resources:
    return {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}


def test_a_name_in_the_namespace_of_account_and_region_is_the_one_that_aws_gives(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(
        bucket(BucketNamePrefix="ours", BucketNamespace="account-regional"),
        Arn={"Fn::GetAtt": ["Bucket", "Arn"]},
    )

    assert stack["Bucket"] == f"ours-{ACCOUNT}-us-east-1-an"
    assert stack.outputs["Arn"] == f"arn:aws:s3:::ours-{ACCOUNT}-us-east-1-an"
    client("s3").head_bucket(Bucket=stack["Bucket"])


def test_acls_are_refused_until_the_template_says_otherwise(deploy: Deploy, client: Client) -> None:
    s3 = client("s3")
    stack = deploy(bucket())
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=stack["Bucket"], ACL="log-delivery-write")

    rule = {"ObjectOwnership": "ObjectWriter"}
    stack.update(bucket(OwnershipControls={"Rules": [rule]}))

    s3.put_bucket_acl(Bucket=stack["Bucket"], ACL="log-delivery-write")
    found = s3.get_bucket_ownership_controls(Bucket=stack["Bucket"])
    assert found["OwnershipControls"]["Rules"] == [rule]


@pytest.mark.parametrize("deleted", [False, True], ids=["an object", "a delete marker"])
def test_a_bucket_that_still_has_something_in_it_is_not_deleted(
    deploy: Deploy, client: Client, deleted: bool
) -> None:
    s3 = client("s3")
    stack = deploy(bucket(VersioningConfiguration=VERSIONED))
    name = stack["Bucket"]
    left = s3.put_object(Bucket=name, Key="x", Body=b"y")
    if deleted:
        s3.delete_object(Bucket=name, Key="x", VersionId=left["VersionId"])
        left = s3.delete_object(Bucket=name, Key="x")

    with pytest.raises(AssertionError, match="not empty"):
        stack.delete()

    s3.delete_object(Bucket=name, Key="x", VersionId=left["VersionId"])
    stack.delete()
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=name)
