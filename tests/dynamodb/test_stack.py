"""What must stay true of the dynamodb blueprint; the snapshot shows whatever else changed."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from stacks.dynamodb import DynamodbStack
from tests.assembly import Assembly, StackTemplate, alone

TABLES = ("Scores", "Changes", "Users", "LogLines", "Seasons")


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["dynamodb"].body == snapshot


@pytest.fixture
def dynamodb(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["dynamodb"]


def keys(described: dict[str, Any]) -> dict[str, str]:
    """The key of a table or an index: ``{"HASH": attribute, "RANGE": attribute}``."""
    return {key["KeyType"]: key["AttributeName"] for key in described["KeySchema"]}


@pytest.mark.concept("dynamodb.serverless-nosql")
def test_nothing_runs_but_functions_and_only_one_table_reserves_capacity(
    dynamodb: StackTemplate,
) -> None:
    on_demand = dynamodb.of_type("AWS::DynamoDB::GlobalTable")
    assert {table["BillingMode"] for table in on_demand.values()} == {"PAY_PER_REQUEST"}
    assert list(dynamodb.of_type("AWS::DynamoDB::Table")) == [dynamodb.logical_id("Seasons")]
    assert not [name for name in dynamodb.types() if name.startswith(("AWS::EC2", "AWS::RDS"))]


@pytest.mark.concept("dynamodb.primary-key-simple")
def test_users_are_keyed_by_one_attribute(dynamodb: StackTemplate) -> None:
    assert keys(dynamodb["Users"]) == {"HASH": "user_id"}


@pytest.mark.concept("dynamodb.primary-key-composite")
def test_scores_are_keyed_by_user_and_game_and_log_lines_by_app_and_time(
    dynamodb: StackTemplate,
) -> None:
    assert keys(dynamodb["Scores"]) == {"HASH": "user_id", "RANGE": "game_id"}
    assert keys(dynamodb["LogLines"]) == {"HASH": "app", "RANGE": "ts"}


@pytest.mark.concept("dynamodb.partition-key-hashing")
def test_the_keys_that_are_throttled_in_the_small_table_are_shown(dynamodb: StackTemplate) -> None:
    assert dynamodb["Seasons"]["ContributorInsightsSpecification"] == {
        "Enabled": True,
        "Mode": "THROTTLED_KEYS",
    }


@pytest.mark.concept("dynamodb.attributes")
@pytest.mark.parametrize("table", TABLES)
def test_only_attributes_of_keys_are_defined(dynamodb: StackTemplate, table: str) -> None:
    properties = dynamodb[table]
    indexes = [
        *properties.get("GlobalSecondaryIndexes", []),
        *properties.get("LocalSecondaryIndexes", []),
    ]
    defined = [attribute["AttributeName"] for attribute in properties["AttributeDefinitions"]]
    assert set(defined) == {
        name for keyed in (properties, *indexes) for name in keys(keyed).values()
    }


@pytest.mark.concept("dynamodb.rcu", "dynamodb.wcu")
def test_the_provisioned_table_reads_one_unit_a_second_and_writes_one(
    dynamodb: StackTemplate,
) -> None:
    assert dynamodb["Seasons"]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 1,
        "WriteCapacityUnits": 1,
    }
    assert "BillingMode" not in dynamodb["Seasons"], "CloudFormation's default is PROVISIONED"


@pytest.mark.concept("dynamodb.lsi")
def test_the_local_index_has_the_tables_partition_key_and_another_sort_key(
    dynamodb: StackTemplate,
) -> None:
    [index] = dynamodb["Scores"]["LocalSecondaryIndexes"]
    assert keys(index) == {"HASH": "user_id", "RANGE": "points"}


@pytest.mark.concept("dynamodb.gsi")
def test_the_global_index_has_another_partition_key_and_no_more_than_the_keys(
    dynamodb: StackTemplate,
) -> None:
    [index] = dynamodb["Scores"]["GlobalSecondaryIndexes"]
    assert keys(index) == {"HASH": "game_id", "RANGE": "points"}
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


@pytest.mark.concept("dynamodb.optimistic-locking")
def test_the_writer_may_update_a_score_but_not_replace_it(dynamodb: StackTemplate) -> None:
    granted = [s for s in dynamodb.statements("AddPointsRole") if "dynamodb:" in str(s["Action"])]
    assert granted == [
        {
            "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Effect": "Allow",
            "Resource": dynamodb.att("Scores"),
        }
    ]
    assert dynamodb["AddPoints"]["Environment"]["Variables"]["TABLE_NAME"] == dynamodb.ref("Scores")


@pytest.mark.concept("dynamodb.ttl")
def test_scores_expire_at_the_moment_they_name(dynamodb: StackTemplate) -> None:
    assert dynamodb["Scores"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


@pytest.mark.concept("dynamodb.streams")
def test_changes_of_ranked_scores_go_with_both_images_to_the_function_that_records_them(
    dynamodb: StackTemplate,
) -> None:
    assert dynamodb["Scores"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}

    mapping = dynamodb["RecordChanges/Stream"]
    assert mapping["EventSourceArn"] == dynamodb.att("Scores", "StreamArn")
    assert mapping["FunctionName"] == dynamodb.ref("RecordChanges")
    assert [json.loads(f["Pattern"]) for f in mapping["FilterCriteria"]["Filters"]] == [
        {
            "eventName": ["INSERT", "MODIFY"],
            "dynamodb": {"NewImage": {"kind": {"S": ["ranked"]}}},
        },
        {"eventName": ["REMOVE"], "dynamodb": {"OldImage": {"kind": {"S": ["ranked"]}}}},
    ]
    assert dynamodb.allowed("RecordChangesRole", dynamodb.att("Changes")) == {"dynamodb:PutItem"}
    assert dynamodb["RecordChanges"]["Environment"]["Variables"]["TABLE_NAME"] == dynamodb.ref(
        "Changes"
    )


@pytest.mark.concept("dynamodb.streams")
def test_no_change_is_missed_and_none_that_cannot_be_recorded_holds_up_the_others(
    dynamodb: StackTemplate,
) -> None:
    mapping = dynamodb["RecordChanges/Stream"]

    # LATEST would miss what happens before Lambda begins to poll.
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] < 10
    unrecorded = dynamodb.att("Unrecorded")
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": unrecorded}}
    assert "sqs:SendMessage" in dynamodb.allowed("RecordChangesRole", unrecorded)


def with_a_change_stream(app: cdk.App) -> None:
    producer = cdk.Stack(app, "producer")
    DynamodbStack(
        app,
        "dynamodb",
        removal_policy=cdk.RemovalPolicy.DESTROY,
        deletion_protection=False,
        recovery=None,
        log_retention=logs.RetentionDays.ONE_DAY,
        change_stream=kinesis.Stream(producer, "Changes", shard_count=1),
    )


@pytest.mark.concept("dynamodb.streams")
def test_the_changes_can_go_to_a_kinesis_stream_as_well(dynamodb: StackTemplate) -> None:
    assert "KinesisStreamSpecification" not in dynamodb["Scores"]["Replicas"][0]

    assembly = alone(with_a_change_stream)
    published, stack = assembly.stacks["producer"], assembly.stacks["dynamodb"]
    arn = stack["Scores"]["Replicas"][0]["KinesisStreamSpecification"]["StreamArn"]
    output = arn["Fn::GetStackOutput"]["OutputName"]
    assert published.body["Outputs"][output]["Value"] == published.att("Changes")
    assert not assembly.findings("dynamodb")


@pytest.mark.parametrize("table", TABLES)
def test_production_keeps_protects_and_can_restore_every_table(
    dynamodb: StackTemplate, production: Assembly, table: str
) -> None:
    def safekeeping(stack: StackTemplate) -> tuple[str, bool, int | None]:
        # A TableV2 is a global table, whose one replica has these settings.
        settings = stack[table].get("Replicas", [stack[table]])[0]
        return (
            stack.body["Resources"][stack.logical_id(table)]["DeletionPolicy"],
            settings["DeletionProtectionEnabled"],
            settings.get("PointInTimeRecoverySpecification", {}).get("RecoveryPeriodInDays"),
        )

    assert safekeeping(dynamodb) == ("Delete", False, None)
    assert safekeeping(production.stacks["dynamodb"]) == ("Retain", True, 35)
