"""What S3 needs in another region to replicate to there: a stack of its own."""

from difflib import get_close_matches
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import region_info
from constructs import Construct

from patterns.validations import InvalidArgumentError, acknowledge


class ReplicaStack(cdk.Stack):
    """A versioned bucket in another region, under a name that is known before it exists.

    Args:
        region: Where it is.
        removal_policy: Of the bucket. CloudFormation deletes an empty one only.
    """

    bucket_name: str

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        region: str,
        removal_policy: cdk.RemovalPolicy,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, env=cdk.Environment(region=region), **kwargs)

        prefix = account_regional_prefix(self)
        self.bucket_name = f"{prefix}-{cdk.Aws.ACCOUNT_ID}-{region}-an"
        replica = s3.Bucket(
            self,
            "Replica",
            bucket_name_prefix=prefix,
            bucket_namespace=s3.BucketNamespace.ACCOUNT_REGIONAL,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=removal_policy,
        )
        acknowledge(
            replica,
            "AwsSolutions::AwsSolutions-S1",
            reason="Nobody but S3 is granted access to it.",
        )


def account_regional_prefix(stack: cdk.Stack) -> str:
    """What is ours of a bucket name in the account regional namespace, unlike any other stack's.

    S3 appends ``-<account>-<region>-an``, at most 31 of the 63 characters a name may have:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    return cdk.Names.unique_resource_name(
        stack, max_length=32, allowed_special_characters="-"
    ).lower()


def refuse_region(given: str, own: str) -> None:
    """Refuse a region that nothing can be replicated to.

    Args:
        given: The name of the region to replicate to.
        own: The region to replicate from, which may be known at deployment only.

    Raises:
        InvalidArgumentError: For the same region, and for one outside of the partition ``aws``.
    """
    if given == own:
        raise InvalidArgumentError(
            f"replica_region '{given}' is the region of the stack itself; give another one, or "
            "None: the bucket is replicated within its region anyway"
        )
    known = [each.name for each in region_info.RegionInfo.regions if each.partition == "aws"]
    if given not in known:
        near = get_close_matches(given, known, n=1)
        raise InvalidArgumentError(
            f"replica_region '{given}' is no region of the partition aws"
            + (f" (did you mean '{near[0]}'?)" if near else "")
            + "; give one like eu-west-1"
        )
