"""What is left of a stack when it is destroyed, by design or by mistake."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.gates.resources import Resource, walk


class Lingering(NamedTuple):
    """What outlives its stack whatever we do, for as short as AWS allows."""

    property: str
    shortest: Any
    cost: str
    source: str


class Remainder(NamedTuple):
    """What a service makes once for the whole account, by itself, and keeps."""

    name: str
    source: str


LINGERS = {
    "AWS::KMS::Key": Lingering(
        "PendingWindowInDays",
        7,
        "seven days of its $1 a month at most",
        "https://docs.aws.amazon.com/kms/latest/cryptographic-details/key-deletion.html",
    ),
}
REMAINS = {
    "AWS::ElasticBeanstalk::Environment": Remainder(
        "elasticbeanstalk-<region>-<account>",
        "https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/AWSHowTo.S3.html",
    ),
}
# By path: whoever puts objects into these buckets deletes them again, so that no function of the
# CDK's own, with a log group of nobody's, has to empty them.
KEPT_EMPTY = {
    "cloudfront/Site": "The exercise deletes the pages it publishes.",
    "lambda/Documents": "The exercise deletes the document it uploads.",
    "s3/Copies": "The exercise erases the copies of its films, once S3 has made them.",
    "s3/Inbox": "The exercise erases its letters.",
    "s3/Media": "The exercise erases its films and drafts in all their versions.",
    "vpc-connectivity/Documents": "The exercise deletes the documents it has kept.",
}
# CloudFormation snapshots them unless told otherwise:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
SNAPSHOT_BY_DEFAULT = {"AWS::RDS::DBCluster", "AWS::RDS::DBInstance"}
PROTECTIONS = {
    "DeletionProtection",
    "DeletionProtectionEnabled",
    "DisableApiTermination",
    "EnableTerminationProtection",
    "deletion_protection.enabled",
}
HOLDS_DATA = {
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::KMS::Key",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
}


def left_behind(everything: Sequence[Resource]) -> Iterator[str]:
    """What outlives the deletion of its stack, or prevents it."""
    for resource in everything:
        emptied = [
            other
            for other in everything
            if other.type == "Custom::S3AutoDeleteObjects" and other.stack == resource.stack
        ]
        for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
            policy = resource.body.get(attribute, _default_policy(resource))
            if policy != "Delete":
                yield (
                    f"{resource}: {attribute} is {policy} in sandbox; "
                    "give it the profile's removal_policy"
                )
        if any(key in PROTECTIONS and _is_on(value) for key, value in _settings(resource)):
            yield f"{resource}: protected from deletion in sandbox; take it from the profile"
        if resource.type == "AWS::S3::Bucket" and not (
            resource.path in KEPT_EMPTY
            or any(resource.is_in(bucket.properties["BucketName"]) for bucket in emptied)
        ):
            yield (
                f"{resource}: cannot be deleted while it has objects; set auto_delete_objects, or "
                f"list {resource.path} in KEPT_EMPTY with who deletes them"
            )
        if resource.type == "AWS::EC2::Instance" and any(
            key == "DeleteOnTermination" and value is False for key, value in _settings(resource)
        ):
            yield (
                f"{resource}: leaves a disk behind when it is terminated; make that a volume of "
                "the stack, with an attachment"
            )
        if resource.type == "AWS::ECR::Repository" and not resource.properties.get("EmptyOnDelete"):
            yield f"{resource}: cannot be deleted while it has images; set empty_on_delete"
        if lingering := LINGERS.get(resource.type):
            given = resource.properties.get(lingering.property)
            if given != lingering.shortest:
                yield (
                    f"{resource}: outlives its stack by {lingering.property}={given}; in sandbox "
                    f"set the shortest, {lingering.shortest}, which costs {lingering.cost}"
                )
        if _keeps_a_system_backup(resource):
            yield (
                f"{resource}: DynamoDB keeps a backup of a table with point-in-time recovery for "
                "35 days after its deletion; leave it off in sandbox"
            )


def untold_remains(everything: Sequence[Resource], pages: Mapping[str, str]) -> Iterator[str]:
    """What outlives every stack of the account, and is not on the page of one that has it made.

    Args:
        everything: The resources of all stacks.
        pages: By stack id.
    """
    for resource in everything:
        remainder = REMAINS.get(resource.type)
        if remainder and remainder.name not in pages.get(resource.stack, ""):
            yield (
                f"{resource}: leaves {remainder.name} in the account; say so on the page, and how "
                f"to remove it ({remainder.source})"
            )


def unprotected_stacks(manifest: dict[str, Any]) -> Iterator[str]:
    """Stacks that cannot be destroyed until somebody switches their protection off."""
    for name, artifact in manifest["artifacts"].items():
        if artifact.get("properties", {}).get("terminationProtection"):
            yield f"{name}: termination protection is on in sandbox; take it from the profile"


def at_risk(everything: Sequence[Resource]) -> Iterator[str]:
    """What holds data and would go with its stack."""
    for resource in everything:
        if resource.type in HOLDS_DATA:
            for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
                policy = resource.body.get(attribute, _default_policy(resource))
                if policy == "Delete":
                    yield (
                        f"{resource}: {attribute} is Delete in production, where its data must "
                        "stay; give it the profile's removal_policy"
                    )


def _default_policy(resource: Resource) -> str:
    # An instance of a cluster has no data of its own.
    snapshot = (
        resource.type in SNAPSHOT_BY_DEFAULT and "DBClusterIdentifier" not in resource.properties
    )
    return "Snapshot" if snapshot else "Delete"


def _settings(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Properties by name, and the attributes that some types keep as a list of keys and values."""
    for key, value in walk(resource.properties):
        yield key, value
        if isinstance(value, dict) and {"Key", "Value"} <= value.keys():
            yield str(value["Key"]), value["Value"]


def _is_on(value: Any) -> bool:
    return value is True or value in ("true", "ACTIVE")


def _keeps_a_system_backup(resource: Resource) -> bool:
    return resource.type.startswith("AWS::DynamoDB::") and any(
        key == "PointInTimeRecoveryEnabled" and _is_on(value) for key, value in _settings(resource)
    )
