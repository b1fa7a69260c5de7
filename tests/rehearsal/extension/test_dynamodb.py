"""What CloudFormation makes of a table, as DynamoDB then describes it."""

from typing import Any

import pytest

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

STREAM = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}
KEY = {
    "Type": "AWS::KMS::Key",
    "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}},
}
STREAM_ARN = {"Fn::GetAtt": ["Stream", "Arn"]}


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]


def index(name: str, *names: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": keys(*names),
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def table(kind: str, **properties: Any) -> dict[str, Any]:
    standard = {
        "AttributeDefinitions": attributes("pk"),
        "KeySchema": keys("pk"),
        "BillingMode": "PAY_PER_REQUEST",
    }
    if kind == "GlobalTable" and "Replicas" not in properties:
        standard["Replicas"] = [{"Region": "us-east-1"}]
    return {"Type": f"AWS::DynamoDB::{kind}", "Properties": standard | properties}


# What TableV2 puts into the replica of a global table, Table has as properties of its own.
SETTINGS = {
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    "ContributorInsightsSpecification": {"Enabled": True},
    "KinesisStreamSpecification": {"StreamArn": STREAM_ARN},
    "TableClass": "STANDARD_INFREQUENT_ACCESS",
    "ResourcePolicy": {"PolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    "Tags": [{"Key": "purpose", "Value": "test"}],
}


def with_everything(kind: str) -> Resources:
    shared = {
        "AttributeDefinitions": attributes("pk", "sk", "other"),
        "KeySchema": keys("pk", "sk"),
        "GlobalSecondaryIndexes": [index("by-other", "other")],
        "LocalSecondaryIndexes": [index("by-local", "pk", "other")],
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"},
    }
    encryption = {"SSEEnabled": True, "SSEType": "KMS"}
    key = {"KMSMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}
    if kind == "Table":
        own = {**SETTINGS, "SSESpecification": {**encryption, **key}}
    else:
        replica = {"Region": "us-east-1", "SSESpecification": key, **SETTINGS}
        own = {"SSESpecification": encryption, "Replicas": [replica]}
    return {"Stream": STREAM, "Key": KEY, "Table": table(kind, **shared, **own)}


@pytest.mark.parametrize("kind", ["Table", "GlobalTable"])
def test_nothing_that_a_table_asks_for_is_lost(deploy: Deploy, client: Client, kind: str) -> None:
    dynamodb = client("dynamodb")
    stack = deploy(
        with_everything(kind),
        Arn={"Fn::GetAtt": ["Table", "Arn"]},
        StreamArn={"Fn::GetAtt": ["Table", "StreamArn"]},
        DataStream=STREAM_ARN,
        Key={"Fn::GetAtt": ["Key", "Arn"]},
    )
    name, arn = stack["Table"], stack.outputs["Arn"]
    described = dynamodb.describe_table(TableName=name)["Table"]

    assert described["TableArn"] == arn
    assert described["LatestStreamArn"] == stack.outputs["StreamArn"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert described["SSEDescription"]["KMSMasterKeyArn"] == stack.outputs["Key"]
    (by_other,) = described["GlobalSecondaryIndexes"]
    (by_local,) = described["LocalSecondaryIndexes"]
    assert by_other["KeySchema"] == keys("other")
    assert by_local["KeySchema"] == keys("pk", "other")
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "ENABLED"
    insights = dynamodb.describe_contributor_insights(TableName=name)
    assert insights["ContributorInsightsStatus"] == "ENABLED"
    streaming = dynamodb.describe_kinesis_streaming_destination(TableName=name)
    (destination,) = streaming["KinesisDataStreamDestinations"]
    assert destination["StreamArn"] == stack.outputs["DataStream"]
    assert dynamodb.get_resource_policy(ResourceArn=arn)["Policy"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert {"Key": "purpose", "Value": "test"} in tags

    stack.delete()

    assert name not in dynamodb.list_tables()["TableNames"]


@pytest.mark.parametrize("kind", ["Table", "GlobalTable"])
def test_settings_go_when_the_template_drops_them(
    deploy: Deploy, client: Client, kind: str
) -> None:
    dynamodb = client("dynamodb")
    stack = deploy(with_everything(kind))
    name = stack["Table"]
    plain = table(
        kind,
        AttributeDefinitions=attributes("pk", "sk", "other"),
        KeySchema=keys("pk", "sk"),
        LocalSecondaryIndexes=[index("by-local", "pk", "other")],
    )
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "kept"}, "sk": {"S": "1"}})

    stack.update({"Stream": STREAM, "Key": KEY, "Table": plain})

    assert stack["Table"] == name
    assert dynamodb.scan(TableName=name)["Count"] == 1
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert "GlobalSecondaryIndexes" not in described
    assert not described.get("StreamSpecification", {}).get("StreamEnabled")
    assert described.get("TableClassSummary", {}).get("TableClass") in (None, "STANDARD")
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "DISABLED"
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "DISABLED"
    insights = dynamodb.describe_contributor_insights(TableName=name)
    assert insights["ContributorInsightsStatus"] == "DISABLED"
    streaming = dynamodb.describe_kinesis_streaming_destination(TableName=name)
    states = [d["DestinationStatus"] for d in streaming["KinesisDataStreamDestinations"]]
    assert "ACTIVE" not in states
    tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
    assert "purpose" not in [tag["Key"] for tag in tags]
    with pytest.raises(dynamodb.exceptions.PolicyNotFoundException):
        dynamodb.get_resource_policy(ResourceArn=described["TableArn"])


@pytest.mark.parametrize(
    ("properties", "capacity"),
    [
        (
            {
                "WriteProvisionedThroughputSettings": {
                    "WriteCapacityAutoScalingSettings": {
                        "MinCapacity": 2,
                        "MaxCapacity": 9,
                        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70},
                    }
                },
                "Replicas": [
                    {
                        "Region": "us-east-1",
                        "ReadProvisionedThroughputSettings": {"ReadCapacityUnits": 3},
                    }
                ],
            },
            {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        ),
    ],
)
def test_a_global_table_has_the_capacity_it_starts_with(
    deploy: Deploy, client: Client, properties: dict[str, Any], capacity: dict[str, int]
) -> None:
    stack = deploy({"Table": table("GlobalTable", **properties, BillingMode="PROVISIONED")})

    described = client("dynamodb").describe_table(TableName=stack["Table"])["Table"]
    provisioned = described["ProvisionedThroughput"]
    assert {name: provisioned[name] for name in capacity} == capacity


def test_an_on_demand_table_can_be_limited(deploy: Deploy, client: Client) -> None:
    limited = table(
        "GlobalTable",
        WriteOnDemandThroughputSettings={"MaxWriteRequestUnits": 5},
        Replicas=[
            {
                "Region": "us-east-1",
                "ReadOnDemandThroughputSettings": {"MaxReadRequestUnits": 7},
            }
        ],
    )
    stack = deploy({"Table": limited})

    described = client("dynamodb").describe_table(TableName=stack["Table"])["Table"]
    assert described["OnDemandThroughput"] == {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 5}


def test_a_global_table_has_its_replicas(deploy: Deploy, client: Client) -> None:
    replicas = [{"Region": "us-east-1"}, {"Region": "eu-west-1"}]
    stack = deploy(
        {
            "Table": table(
                "GlobalTable",
                Replicas=replicas,
                StreamSpecification={"StreamViewType": "NEW_AND_OLD_IMAGES"},
            )
        }
    )

    described = client("dynamodb").describe_table(TableName=stack["Table"])["Table"]
    assert "eu-west-1" in [replica["RegionName"] for replica in described["Replicas"]]


def test_an_index_can_be_added_and_capacity_changed_in_place(
    deploy: Deploy, client: Client
) -> None:
    def resources(capacity: int, **more: Any) -> Resources:
        throughput = {"ReadCapacityUnits": capacity, "WriteCapacityUnits": capacity}
        return {
            "Table": table(
                "Table", BillingMode="PROVISIONED", ProvisionedThroughput=throughput, **more
            )
        }

    stack = deploy(resources(1))
    name = stack["Table"]

    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    by_other = {**index("by-other", "other"), "ProvisionedThroughput": throughput}
    stack.update(
        resources(
            4, AttributeDefinitions=attributes("pk", "other"), GlobalSecondaryIndexes=[by_other]
        )
    )

    described = client("dynamodb").describe_table(TableName=name)["Table"]
    assert stack["Table"] == name
    assert described["ProvisionedThroughput"]["ReadCapacityUnits"] == 4
    assert [found["IndexName"] for found in described["GlobalSecondaryIndexes"]] == ["by-other"]


def test_another_key_takes_another_table(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Table": table("Table")})
    before = stack["Table"]

    stack.update(
        {"Table": table("Table", AttributeDefinitions=attributes("id"), KeySchema=keys("id"))}
    )

    assert stack["Table"] != before
    names = client("dynamodb").list_tables()["TableNames"]
    assert before not in names


def test_a_protected_table_does_not_go_with_its_stack(deploy: Deploy, client: Client) -> None:
    def protected(protection: bool) -> Resources:
        return {"Table": table("Table", DeletionProtectionEnabled=protection)}

    stack = deploy(protected(True))
    client("cloudformation").delete_stack(StackName=stack.name)
    assert stack.status == "DELETE_FAILED"
    assert any("protected against deletion" in reason for reason in stack.reasons)

    client("dynamodb").update_table(TableName=stack["Table"], DeletionProtectionEnabled=False)
    stack.delete()
