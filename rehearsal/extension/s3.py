"""S3 buckets: what MiniStack's CloudFormation leaves out of them and its S3 keeps."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.extension import loopback, ministack
from rehearsal.extension.completions import Properties
from rehearsal.extension.resource_type import Request
from rehearsal.extension.settings import Setting, kept

Rule = Mapping[str, Any]


def _lifecycle(bucket: str, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    rules = [_lifecycle_rule(number, rule) for number, rule in enumerate(configuration["Rules"])]
    return {"Bucket": bucket, "LifecycleConfiguration": {"Rules": rules}}


def _lifecycle_rule(number: int, rule: Rule) -> dict[str, Any]:
    """A rule in the words of S3, which differ from CloudFormation's nearly everywhere."""
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    noncurrent = rule.get("NoncurrentVersionExpiration") or {
        "NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")
    }
    return _given(
        ID=rule.get("Id", f"rule-{number}"),
        Status=rule["Status"],
        Filter=_filter(rule),
        Expiration=_given(**expiration),
        Transitions=[
            _given(
                StorageClass=transition["StorageClass"],
                Days=transition.get("TransitionInDays"),
                Date=transition.get("TransitionDate"),
            )
            for transition in _each(rule, "Transition")
        ],
        NoncurrentVersionExpiration=_given(**noncurrent),
        NoncurrentVersionTransitions=[
            _given(
                StorageClass=transition["StorageClass"],
                NoncurrentDays=transition["TransitionInDays"],
                NewerNoncurrentVersions=transition.get("NewerNoncurrentVersions"),
            )
            for transition in _each(rule, "NoncurrentVersionTransition")
        ],
        AbortIncompleteMultipartUpload=rule.get("AbortIncompleteMultipartUpload"),
    ) | {"Filter": _filter(rule)}


def _filter(rule: Rule) -> dict[str, Any]:
    conditions = _given(
        Prefix=rule.get("Prefix"),
        Tags=rule.get("TagFilters"),
        ObjectSizeGreaterThan=rule.get("ObjectSizeGreaterThan"),
        ObjectSizeLessThan=rule.get("ObjectSizeLessThan"),
    )
    if len(conditions) > 1 or len(conditions.get("Tags", [])) > 1:
        return {"And": conditions}
    if "Tags" in conditions:
        return {"Tag": conditions["Tags"][0]}
    return conditions or {"Prefix": ""}


def _each(rule: Rule, name: str) -> list[Rule]:
    return [*rule.get(f"{name}s", []), *([rule[name]] if name in rule else [])]


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _encryption(bucket: str, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": _with_key(
                rule.get("ServerSideEncryptionByDefault", {})
            ),
            "BucketKeyEnabled": rule.get("BucketKeyEnabled"),
        }
        for rule in configuration["ServerSideEncryptionConfiguration"]
    ]
    return {"Bucket": bucket, "ServerSideEncryptionConfiguration": {"Rules": rules}}


def _with_key(encryption: Rule) -> Rule:
    """With the key that S3 takes when it is to use KMS and is given none; MiniStack takes none."""
    if encryption.get("SSEAlgorithm", "").startswith("aws:kms"):
        return {"KMSMasterKeyID": "alias/aws/s3", **encryption}
    return encryption


def _tags(bucket: str, tags: list[dict[str, str]]) -> Mapping[str, Any]:
    # S3 takes no tags of CloudFormation's own from anybody but CloudFormation.
    own = [tag for tag in tags if not tag["Key"].startswith("aws:")]
    return {"Bucket": bucket, "Tagging": {"TagSet": own}}


def _logging(bucket: str, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    enabled = {
        "TargetBucket": configuration.get("DestinationBucketName", bucket),
        "TargetPrefix": configuration.get("LogFilePrefix", ""),
    }
    return {
        "Bucket": bucket,
        "BucketLoggingStatus": {"LoggingEnabled": enabled} if configuration else {},
    }


def _replication(bucket: str, configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Bucket": bucket, "ReplicationConfiguration": configuration}


def _bucket(bucket: str) -> Mapping[str, Any]:
    return {"Bucket": bucket}


def _named(request: Request) -> Properties:
    """With the name that a bucket in the account regional namespace gets."""
    given = request.properties
    if given.get("BucketNamespace") != "account-regional" or "BucketNamePrefix" not in given:
        return given
    suffix = f"{ministack.account()}-{ministack.region()}-an"
    return {**given, "BucketName": f"{given['BucketNamePrefix']}-{suffix}"}


def _refuse_unless_empty(bucket: str, properties: Properties) -> None:
    """Keep a bucket with objects, as S3 does and MiniStack's CloudFormation does not."""
    try:
        left = loopback.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if loopback.is_gone(error):
            return
        raise
    if left.get("Versions") or left.get("DeleteMarkers"):
        raise ValueError(
            "The bucket you tried to delete is not empty. You must delete all versions in the "
            "bucket."
        )


_SETTINGS = kept(
    "s3",
    Setting(
        "LifecycleConfiguration",
        "put_bucket_lifecycle_configuration",
        _lifecycle,
        remove="delete_bucket_lifecycle",
        removed=_bucket,
    ),
    Setting(
        "BucketEncryption",
        "put_bucket_encryption",
        _encryption,
        remove="delete_bucket_encryption",
        removed=_bucket,
    ),
    Setting(
        "Tags",
        "put_bucket_tagging",
        _tags,
        remove="delete_bucket_tagging",
        removed=_bucket,
    ),
    Setting("LoggingConfiguration", "put_bucket_logging", _logging, default={}),
    # Locking takes versions, which S3 turns on by itself.
    Setting(
        "ObjectLockEnabled",
        "put_bucket_versioning",
        lambda bucket, enabled: {
            "Bucket": bucket,
            "VersioningConfiguration": {"Status": "Enabled"},
        },
    ),
    Setting(
        "ObjectLockConfiguration",
        "put_object_lock_configuration",
        lambda bucket, lock: {"Bucket": bucket, "ObjectLockConfiguration": lock},
    ),
    Setting(
        "AccelerateConfiguration",
        "put_bucket_accelerate_configuration",
        lambda bucket, accelerate: {
            "Bucket": bucket,
            "AccelerateConfiguration": {"Status": accelerate["AccelerationStatus"]},
        },
        default={"AccelerationStatus": "Suspended"},
    ),
    Setting(
        "ReplicationConfiguration",
        "put_bucket_replication",
        _replication,
        remove="delete_bucket_replication",
        removed=_bucket,
    ),
    # Without it S3 takes the strictest: no ACLs.
    Setting(
        "OwnershipControls",
        "put_bucket_ownership_controls",
        lambda bucket, controls: {"Bucket": bucket, "OwnershipControls": controls},
        remove="delete_bucket_ownership_controls",
        removed=_bucket,
    ),
)

COMPLETIONS = {
    "AWS::S3::Bucket": dataclasses.replace(
        _SETTINGS, prepare=_named, before_delete=_refuse_unless_empty
    )
}
