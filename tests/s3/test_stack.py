"""What must stay true of the s3 blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.s3 import S3Stack
from tests.assembly import Assembly, StackTemplate, alone

ARN = ["arn:", {"Ref": "AWS::Partition"}, ":s3:::"]
LONG_NAME = f"{'Long-' * 19}s3"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["s3"].body == snapshot


@pytest.fixture
def s3(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["s3"]


def compose(app: cdk.App, name: str = "alone-s3", **options: Any) -> None:
    """The stack alone, without the logs of its requests."""
    S3Stack(
        app,
        "s3",
        stack_name=name,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        access_logs=None,
        **options,
    )


@pytest.fixture(scope="module")
def with_replica() -> Assembly:
    """The stack, and the one that it replicates to."""
    return alone(compose, replica_region="eu-west-1")


def below(stack: StackTemplate, path: str, suffix: str) -> dict[str, Any]:
    """The ARN of what lies in the bucket at ``path``."""
    return {"Fn::Join": ["", [stack.att(path), suffix]]}


def statements(stack: StackTemplate, policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack[policy]["PolicyDocument"]["Statement"]
    return found


def rule(stack: StackTemplate, name: str) -> dict[str, Any]:
    """One lifecycle rule of Media."""
    rules = stack["Media"]["LifecycleConfiguration"]["Rules"]
    [found] = (each for each in rules if each["Id"] == name)
    assert found["Status"] == "Enabled"
    return dict(found)


def prefix_of(name: str) -> str:
    """What the name of Media begins with, in a stack of this name."""
    assembly = alone(compose, name=name)
    assert not assembly.findings("s3")
    return str(assembly.stacks["s3"]["Media"]["BucketNamePrefix"])


@pytest.mark.concept("s3.bucket-names")
def test_names_are_left_to_cloudformation_or_to_the_namespace_of_account_and_region(
    s3: StackTemplate,
) -> None:
    assert not any("BucketName" in bucket for bucket in s3.of_type("AWS::S3::Bucket").values())
    assert not {"BucketNamespace", "BucketNamePrefix"} & s3["Copies"].keys()
    assert s3["Media"]["BucketNamespace"] == "account-regional"
    assert s3["Media"]["BucketNamePrefix"] == "blueprints-s3"


def test_the_name_has_room_for_account_and_region_however_long_the_stacks_is() -> None:
    prefix = prefix_of(LONG_NAME)

    assert len(f"{prefix}-111111111111-ap-southeast-7-an") <= 63
    assert prefix == prefix.lower()
    assert prefix != prefix_of(LONG_NAME.replace("Long", "Lang"))


@pytest.mark.concept("s3.iam-policy")
def test_the_viewers_own_policy_is_about_films_only(s3: StackTemplate) -> None:
    assert statements(s3, "WatchFilms") == [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": below(s3, "Media", "/films/*"),
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": s3.att("Media"),
            "Condition": {"StringLike": {"s3:prefix": "films/*"}},
        },
    ]
    assert s3["Viewer"]["ManagedPolicyArns"] == [s3.ref("WatchFilms")]


@pytest.mark.concept("s3.bucket-policy")
def test_the_bucket_lets_the_editor_write_drafts_and_the_editor_has_no_policy(
    s3: StackTemplate,
) -> None:
    [allow] = (each for each in statements(s3, "Media/Policy") if each["Effect"] == "Allow")

    assert allow["Principal"] == {"AWS": s3.att("Editor")}
    assert allow["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert allow["Resource"] == below(s3, "Media", "/drafts/*")
    assert not {"ManagedPolicyArns", "Policies"} & s3["Editor"].keys()
    assert s3.statements("Editor") == []


@pytest.mark.concept("s3.bucket-policy")
def test_every_bucket_denies_what_does_not_come_over_a_current_tls(assembly: Assembly) -> None:
    stack = assembly.stacks["s3"]
    denied: dict[str, list[Any]] = {}
    for policy in stack.of_type("AWS::S3::BucketPolicy").values():
        for each in policy["PolicyDocument"]["Statement"]:
            if (each["Effect"], each["Principal"], each["Action"]) == (
                "Deny",
                {"AWS": "*"},
                "s3:*",
            ):
                denied.setdefault(policy["Bucket"]["Ref"], []).append(each["Condition"])

    assert denied.keys() == stack.of_type("AWS::S3::Bucket").keys()
    for conditions in denied.values():
        assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions


@pytest.mark.concept("s3.acl")
def test_acls_are_disabled_but_in_one_bucket_and_can_let_everybody_in_nowhere(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["s3"]

    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        [ownership] = bucket["OwnershipControls"]["Rules"]
        with_acls = name == stack.logical_id("Inbox")
        assert ownership == {
            "ObjectOwnership": "ObjectWriter" if with_acls else "BucketOwnerEnforced"
        }
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert "AccessControl" not in bucket


@pytest.mark.concept("s3.versioning")
def test_media_and_its_copies_keep_versions(s3: StackTemplate) -> None:
    for bucket in ("Media", "Copies"):
        assert s3[bucket]["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.concept("s3.replication-same-region")
def test_films_and_nothing_else_are_replicated_to_copies(s3: StackTemplate) -> None:
    replication = s3["Media"]["ReplicationConfiguration"]
    [to_copies] = replication["Rules"]

    assert to_copies["Destination"] == {"Bucket": s3.att("Copies")}
    assert to_copies["Filter"] == {"Prefix": "films/"}
    assert to_copies["Status"] == "Enabled"
    assert to_copies["DeleteMarkerReplication"] == {"Status": "Disabled"}
    assert replication["Role"] == s3.att("Media/ReplicationRole")


@pytest.mark.concept("s3.replication-same-region")
def test_only_s3_replicates_and_reads_at_one_end_and_writes_at_the_other(
    s3: StackTemplate,
) -> None:
    role = "Media/ReplicationRole"
    [trust] = s3[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}

    read = s3.allowed(role, below(s3, "Media", "/*"))
    write = s3.allowed(role, below(s3, "Copies", "/*"))
    assert "s3:GetObjectVersionForReplication" in read
    assert "s3:ReplicateObject" in write
    assert not any(action.startswith("s3:Get") for action in write)
    assert not any(action.startswith("s3:Replicate") for action in read)


@pytest.mark.concept("s3.replication-cross-region")
def test_films_are_replicated_to_the_bucket_of_a_stack_in_another_region(
    with_replica: Assembly,
) -> None:
    stack, there = with_replica.stacks["s3"], with_replica.stacks["s3-replica"]
    bucket = there["Replica"]
    name = [f"{bucket['BucketNamePrefix']}-", {"Ref": "AWS::AccountId"}, "-eu-west-1-an"]
    arn = [*ARN[:2], f"{ARN[2]}{name[0]}", *name[1:]]
    _, rule = stack["Media"]["ReplicationConfiguration"]["Rules"]

    assert rule["Destination"] == {"Bucket": {"Fn::Join": ["", arn]}}
    assert rule["Filter"] == {"Prefix": "films/"}
    assert bucket["BucketNamespace"] == "account-regional"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    artifacts = with_replica.manifest["artifacts"]
    assert artifacts["s3-replica"]["environment"] == "aws://unknown-account/eu-west-1"
    assert "s3-replica" in artifacts["s3"]["dependencies"]
    assert "s3:ReplicateObject" in stack.allowed(
        "Media/ReplicationRole", {"Fn::Join": ["", [*arn[:-1], f"{arn[-1]}/*"]]}
    )


def test_with_a_replica_nothing_is_found_that_is_not_acknowledged(with_replica: Assembly) -> None:
    assert not with_replica.findings("s3")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            "eu-west-11",
            "is no region of the partition aws (did you mean 'eu-west-1'?); give one like",
        ),
        ("mars", "is no region of the partition aws; give one like eu-west-1"),
        ("eu-north-1", "is the region of the stack itself; give another one"),
    ],
)
def test_a_region_that_cannot_be_replicated_to_is_refused_in_one_line(
    given: str, complaint: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        alone(compose, replica_region=given, env=cdk.Environment(region="eu-north-1"))

    assert str(refused.value).startswith(f"replica_region '{given}' {complaint}")
    assert "\n" not in str(refused.value)


@pytest.mark.concept("s3.lifecycle-transition")
def test_films_become_cheaper_after_a_month_and_after_three(s3: StackTemplate) -> None:
    archive = rule(s3, "ArchiveFilms")

    assert archive["Prefix"] == "films/"
    assert archive["Transitions"] == [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
        {"StorageClass": "GLACIER_IR", "TransitionInDays": 90},
    ]


@pytest.mark.concept("s3.lifecycle-expiration")
def test_drafts_expire_with_their_old_versions_and_unfinished_uploads(s3: StackTemplate) -> None:
    expire = rule(s3, "ExpireDrafts")

    assert expire["Prefix"] == "drafts/"
    assert expire["ExpirationInDays"] == 30
    assert expire["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert expire["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


@pytest.mark.concept("s3.events")
def test_the_bucket_itself_tells_the_queue_of_what_comes_and_goes(s3: StackTemplate) -> None:
    configurations = s3["Media"]["NotificationConfiguration"]["QueueConfigurations"]

    assert {each["Event"]: each["Queue"] for each in configurations} == {
        "s3:ObjectCreated:*": s3.att("Changes"),
        "s3:ObjectRemoved:*": s3.att("Changes"),
    }
    assert "AWS::Lambda::Function" not in s3.types()


@pytest.mark.concept("s3.events")
def test_s3_may_send_on_behalf_of_this_bucket_only_and_before_the_bucket_is_there(
    s3: StackTemplate,
) -> None:
    [allow] = (each for each in statements(s3, "Changes/Policy") if each["Effect"] == "Allow")
    name = [
        f"{s3['Media']['BucketNamePrefix']}-",
        {"Ref": "AWS::AccountId"},
        "-",
        {"Ref": "AWS::Region"},
        "-an",
    ]

    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Resource"] == s3.att("Changes")
    assert allow["Condition"] == {
        "ArnEquals": {
            "aws:SourceArn": {"Fn::Join": ["", [*ARN[:2], f"{ARN[2]}{name[0]}", *name[1:]]]}
        }
    }
    first = s3.body["Resources"][s3.logical_id("Media")]["DependsOn"]
    assert s3.logical_id("Changes/Policy") in first


@pytest.mark.concept("s3.presigned-url")
def test_pages_may_use_presigned_urls_to_upload_and_to_download_and_not_to_delete(
    s3: StackTemplate,
) -> None:
    [cors] = s3["Media"]["CorsConfiguration"]["CorsRules"]

    assert cors["AllowedMethods"] == ["GET", "PUT"]
    assert cors["AllowedOrigins"] == ["*"]


def test_pages_of_other_sites_can_be_kept_out() -> None:
    assembly = alone(compose, upload_origins=["https://example.com"])

    [cors] = assembly.stacks["s3"]["Media"]["CorsConfiguration"]["CorsRules"]
    assert cors["AllowedOrigins"] == ["https://example.com"]
    assert not assembly.findings("s3")


def test_production_keeps_all_buckets_and_for_a_year_the_log_of_their_requests(
    s3: StackTemplate, production: Assembly
) -> None:
    stack = production.stacks["s3"]

    for template, policy in ((s3, "Delete"), (stack, "Retain")):
        for name in template.of_type("AWS::S3::Bucket"):
            assert template.body["Resources"][name]["DeletionPolicy"] == policy
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        if name != stack.logical_id("AccessLogs"):
            logs = bucket["LoggingConfiguration"]
            assert logs["DestinationBucketName"] == stack.ref("AccessLogs")
    [expiry] = stack["AccessLogs"]["LifecycleConfiguration"]["Rules"]
    assert (expiry["Status"], expiry["ExpirationInDays"]) == ("Enabled", 365)
