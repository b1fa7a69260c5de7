"""In sandbox everything goes with its stack; in production nothing that holds data does."""

import pytest

from tests.assembly import Assembly
from tests.gates.deletion import (
    KEPT_EMPTY,
    at_risk,
    left_behind,
    unprotected_stacks,
    untold_remains,
)
from tests.gates.findings import refuse
from tests.gates.folders import STACKS, blueprint_of
from tests.gates.log_groups import unowned_logs
from tests.gates.resources import Resource, example, resources


def test_a_destroyed_sandbox_leaves_nothing_behind(sandbox: Assembly) -> None:
    refuse(left_behind(resources(sandbox)))
    refuse(unprotected_stacks(sandbox.manifest))


def test_every_log_group_belongs_to_the_stack_that_writes_it(assembly: Assembly) -> None:
    refuse(unowned_logs(resources(assembly)))


def test_production_keeps_what_holds_data(production: Assembly) -> None:
    refuse(at_risk(resources(production)))


def test_every_bucket_that_is_kept_empty_still_exists(sandbox: Assembly) -> None:
    assert set(KEPT_EMPTY) <= {resource.path for resource in resources(sandbox)}


def test_what_a_service_leaves_in_the_account_is_on_the_page(assembly: Assembly) -> None:
    pages = {
        blueprint_of(page.parent.name): page.read_text() for page in STACKS.glob("*/README.md")
    }

    refuse(untold_remains(resources(assembly), pages))


def test_what_the_page_does_not_say_is_found() -> None:
    environment = example("AWS::ElasticBeanstalk::Environment")

    assert not list(
        untold_remains([environment], {"shop": "`elasticbeanstalk-<region>-<account>` stays."})
    )
    assert list(untold_remains([environment], {"shop": "Nothing stays."})) == [
        "shop/Thing (AWS::ElasticBeanstalk::Environment): leaves "
        "elasticbeanstalk-<region>-<account> in the account; say so on the page, and how to remove "
        "it (https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/AWSHowTo.S3.html)"
    ]


BUCKET = example("AWS::S3::Bucket", name="Data")
EMPTIED = example("Custom::S3AutoDeleteObjects", BucketName={"Ref": "Data"})


@pytest.mark.parametrize(
    ("resource", "finding"),
    [
        (
            example("AWS::SQS::Queue", DeletionPolicy="Retain"),
            "shop/Thing (AWS::SQS::Queue): DeletionPolicy is Retain in sandbox; "
            "give it the profile's removal_policy",
        ),
        (
            example("AWS::SQS::Queue", UpdateReplacePolicy="Snapshot"),
            "shop/Thing (AWS::SQS::Queue): UpdateReplacePolicy is Snapshot in sandbox; "
            "give it the profile's removal_policy",
        ),
        (
            example("AWS::RDS::DBInstance", UpdateReplacePolicy="Delete"),
            "shop/Thing (AWS::RDS::DBInstance): DeletionPolicy is Snapshot in sandbox; "
            "give it the profile's removal_policy",
        ),
        (
            example("AWS::DynamoDB::GlobalTable", Replicas=[{"DeletionProtectionEnabled": True}]),
            "shop/Thing (AWS::DynamoDB::GlobalTable): protected from deletion in sandbox; "
            "take it from the profile",
        ),
        (
            example(
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                LoadBalancerAttributes=[{"Key": "deletion_protection.enabled", "Value": "true"}],
            ),
            "shop/Thing (AWS::ElasticLoadBalancingV2::LoadBalancer): protected from deletion in "
            "sandbox; take it from the profile",
        ),
        (
            BUCKET,
            "shop/Data (AWS::S3::Bucket): cannot be deleted while it has objects; set "
            "auto_delete_objects, or list shop/Data in KEPT_EMPTY with who deletes them",
        ),
        (
            example(
                "AWS::EC2::Instance",
                BlockDeviceMappings=[
                    {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": True}},
                    {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": False}},
                ],
            ),
            "shop/Thing (AWS::EC2::Instance): leaves a disk behind when it is terminated; make "
            "that a volume of the stack, with an attachment",
        ),
        (
            example("AWS::ECR::Repository"),
            "shop/Thing (AWS::ECR::Repository): cannot be deleted while it has images; "
            "set empty_on_delete",
        ),
        (
            example("AWS::KMS::Key", PendingWindowInDays=30),
            "shop/Thing (AWS::KMS::Key): outlives its stack by PendingWindowInDays=30; in sandbox "
            "set the shortest, 7, which costs seven days of its $1 a month at most",
        ),
        (
            example(
                "AWS::DynamoDB::GlobalTable",
                Replicas=[
                    {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
                ],
            ),
            "shop/Thing (AWS::DynamoDB::GlobalTable): DynamoDB keeps a backup of a table with "
            "point-in-time recovery for 35 days after its deletion; leave it off in sandbox",
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Resource) else "",
)
def test_what_would_stay_is_found(resource: Resource, finding: str) -> None:
    assert list(left_behind([resource])) == [finding]


def test_what_goes_with_its_stack_is_not_found() -> None:
    member = example("AWS::RDS::DBInstance", name="Writer", DBClusterIdentifier={"Ref": "Cluster"})
    key = example("AWS::KMS::Key", name="Key", PendingWindowInDays=7)

    assert not list(left_behind([BUCKET, EMPTIED, member, key]))


def test_a_protected_stack_is_found() -> None:
    manifest = {"artifacts": {"shop": {"properties": {"terminationProtection": True}}, "tree": {}}}

    assert list(unprotected_stacks(manifest)) == [
        "shop: termination protection is on in sandbox; take it from the profile"
    ]


GROUP = example("AWS::Logs::LogGroup", name="Logs")
GROUP_ARN = {"Fn::GetAtt": ["Logs", "Arn"]}


@pytest.mark.parametrize(
    ("resource", "remedy"),
    [
        (example("AWS::Lambda::Function"), "give the function log_group="),
        (
            example("AWS::Lambda::Function", LoggingConfig={"LogGroup": "/aws/lambda/thing"}),
            "give the function log_group=",
        ),
        (
            example("AWS::ApiGateway::Stage", MethodSettings=[{"LoggingLevel": "INFO"}]),
            "switch execution logging off",
        ),
        (example("AWS::EC2::FlowLog", LogGroupName="flows"), "send them to a LogGroup"),
        (
            example(
                "AWS::StepFunctions::StateMachine",
                LoggingConfiguration={
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": "arn:aws:logs"}}]
                },
            ),
            "give logs= a LogGroup of the stack",
        ),
        (example("AWS::CodeBuild::Project"), "give logging= a LogGroup of the stack"),
        (
            example(
                "AWS::EKS::Cluster",
                Name="shop",
                Logging={"ClusterLogging": {"EnabledTypes": [{"Type": "audit"}]}},
            ),
            "name the cluster, and have a LogGroup",
        ),
        (
            example(
                "AWS::ElasticBeanstalk::Environment",
                OptionSettings=[
                    {
                        "Namespace": "aws:elasticbeanstalk:cloudwatch:logs",
                        "OptionName": "StreamLogs",
                        "Value": "true",
                    }
                ],
            ),
            "set the option DeleteOnTerminate",
        ),
        (
            example("AWS::RDS::DBInstance", EnableCloudwatchLogsExports=["postgresql"]),
            "do not export 'postgresql'",
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Resource) else "",
)
def test_a_log_group_that_aws_would_make_is_found(resource: Resource, remedy: str) -> None:
    [finding] = unowned_logs([resource, GROUP])

    assert finding.startswith(
        f"{resource}: logs to a log group that its stack does not delete; {remedy}"
    )


def test_a_log_group_of_the_stack_is_enough_and_one_of_another_stack_is_not() -> None:
    function = example("AWS::Lambda::Function", LoggingConfig={"LogGroup": {"Ref": "Logs"}})
    machine = example(
        "AWS::StepFunctions::StateMachine",
        LoggingConfiguration={
            "Destinations": [
                {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::Join": ["", [GROUP_ARN, ":*"]]}}}
            ]
        },
    )
    stage = example("AWS::ApiGateway::Stage", AccessLogSetting={"DestinationArn": GROUP_ARN})
    cluster = example(
        "AWS::EKS::Cluster",
        Name="shop",
        Logging={"ClusterLogging": {"EnabledTypes": [{"Type": "audit"}]}},
    )
    of_cluster = example("AWS::Logs::LogGroup", LogGroupName="/aws/eks/shop/cluster")
    elsewhere = Resource("elsewhere", "Logs", "elsewhere/Logs", GROUP.body)

    assert not list(unowned_logs([function, machine, stage, GROUP]))
    assert not list(unowned_logs([cluster, of_cluster]))
    assert len(list(unowned_logs([function, machine, stage, elsewhere]))) == 3


def test_data_that_production_would_lose_is_found() -> None:
    table = example("AWS::DynamoDB::GlobalTable", DeletionPolicy="Retain")

    assert list(at_risk([table, example("AWS::SQS::Queue")])) == [
        "shop/Thing (AWS::DynamoDB::GlobalTable): UpdateReplacePolicy is Delete in production, "
        "where its data must stay; give it the profile's removal_policy"
    ]
