"""What CloudFormation makes of other services' resources, as these then describe it."""

import json
from typing import Any

import pytest

from tests.rehearsal.extension.conftest import ACCOUNT, Client, Deploy, Resources


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def arn(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
}
ROLE: Resources = {"Role": resource("IAM::Role", AssumeRolePolicyDocument=POLICY)}


def function(**properties: Any) -> Resources:
    code = {"ZipFile": "def handler(event, context): return event"}
    return {
        **ROLE,
        "Queue": resource("SQS::Queue"),
        "Function": resource(
            "Lambda::Function",
            Code=code,
            Handler="index.handler",
            Runtime="python3.13",
            Role=arn("Role"),
            **properties,
        ),
    }


@pytest.mark.parametrize("kind", ["SQS::Queue", "Lambda::Function"])
def test_what_ministack_makes_itself_is_held_to_its_schema(attempt: Deploy, kind: str) -> None:
    stack = attempt({"Wrong": resource(kind, VisibilityTimout=5)})

    assert "#/VisibilityTimout: Additional properties are not allowed" in stack.reasons[0]


def test_a_plain_property_can_be_an_attribute(deploy: Deploy) -> None:
    stack = deploy(
        {"Vpc": resource("EC2::VPC", CidrBlock="10.3.0.0/16")},
        Block={"Fn::GetAtt": ["Vpc", "CidrBlock"]},
    )

    assert stack.outputs["Block"] == "10.3.0.0/16"


def test_a_function_keeps_its_concurrency_and_dead_letters(deploy: Deploy, client: Client) -> None:
    lambda_ = client("lambda")
    stack = deploy(
        function(
            ReservedConcurrentExecutions=5,
            DeadLetterConfig={"TargetArn": arn("Queue")},
        )
    )
    name = stack["Function"]

    found = lambda_.get_function(FunctionName=name)
    assert found["Concurrency"]["ReservedConcurrentExecutions"] == 5
    assert found["Configuration"]["DeadLetterConfig"]["TargetArn"].startswith("arn:aws:sqs:")
    assert found["Configuration"]["LastUpdateStatus"] == "Successful"

    stack.update(function())

    found = lambda_.get_function(FunctionName=name)
    assert "Concurrency" not in found
    assert not found["Configuration"].get("DeadLetterConfig", {}).get("TargetArn")


def test_an_event_source_mapping_can_be_off(deploy: Deploy, client: Client) -> None:
    mapping = resource(
        "Lambda::EventSourceMapping",
        FunctionName={"Ref": "Function"},
        EventSourceArn=arn("Queue"),
        Enabled=False,
        BatchSize=7,
        ScalingConfig={"MaximumConcurrency": 3},
        FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    stack = deploy({**function(), "Mapping": mapping})

    found = client("lambda").get_event_source_mapping(UUID=stack["Mapping"])
    assert found["State"] in ("Disabled", "Disabling")
    assert found["BatchSize"] == 7
    assert found["ScalingConfig"] == {"MaximumConcurrency": 3}
    assert found["FilterCriteria"]["Filters"] == [{"Pattern": '{"body": ["x"]}'}]
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_stream_is_encrypted_and_has_its_consumer(deploy: Deploy, client: Client) -> None:
    kinesis = client("kinesis")
    stream = resource(
        "Kinesis::Stream",
        ShardCount=1,
        StreamEncryption={"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    )
    consumer = resource("Kinesis::StreamConsumer", ConsumerName="fast", StreamARN=arn("Stream"))
    stack = deploy(
        {"Stream": stream, "Consumer": consumer},
        Name={"Fn::GetAtt": ["Consumer", "ConsumerName"]},
        Status={"Fn::GetAtt": ["Consumer", "ConsumerStatus"]},
    )
    summary = kinesis.describe_stream_summary(StreamName=stack["Stream"])
    assert summary["StreamDescriptionSummary"]["EncryptionType"] == "KMS"

    described = kinesis.describe_stream_consumer(ConsumerARN=stack["Consumer"])
    assert described["ConsumerDescription"]["ConsumerName"] == "fast" == stack.outputs["Name"]
    assert stack.outputs["Status"] in ("CREATING", "ACTIVE")

    stack.update({"Stream": resource("Kinesis::Stream", ShardCount=1)})

    summary = kinesis.describe_stream_summary(StreamName=stack["Stream"])
    assert summary["StreamDescriptionSummary"]["EncryptionType"] == "NONE"
    stream_arn = summary["StreamDescriptionSummary"]["StreamARN"]
    assert kinesis.list_stream_consumers(StreamARN=stream_arn)["Consumers"] == []


def test_a_topic_is_encrypted_until_it_is_told_not_to(deploy: Deploy, client: Client) -> None:
    def key() -> str:
        answer = client("sns").get_topic_attributes(TopicArn=stack["Topic"])
        return str(answer["Attributes"].get("KmsMasterKeyId", ""))

    stack = deploy({"Topic": resource("SNS::Topic", KmsMasterKeyId="alias/aws/sns")})
    assert key() == "alias/aws/sns"

    stack.update({"Topic": resource("SNS::Topic")})

    assert key() == ""


def state_machine(**properties: Any) -> Resources:
    definition = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}
    return {
        **ROLE,
        "Logs": resource("Logs::LogGroup"),
        "Machine": resource(
            "StepFunctions::StateMachine",
            RoleArn=arn("Role"),
            DefinitionString=json.dumps(definition),
            **properties,
        ),
    }


def test_a_state_machine_logs_until_it_is_told_not_to(deploy: Deploy, client: Client) -> None:
    def level() -> str:
        machine = client("stepfunctions").describe_state_machine(stateMachineArn=stack["Machine"])
        return str(machine["loggingConfiguration"]["level"])

    destination = {"CloudWatchLogsLogGroup": {"LogGroupArn": arn("Logs")}}
    logging = {"Level": "ALL", "IncludeExecutionData": True, "Destinations": [destination]}
    stack = deploy(state_machine(LoggingConfiguration=logging))
    assert level() == "ALL"

    stack.update(state_machine())

    assert level() == "OFF"


def test_a_state_machine_has_versions_and_an_alias_that_shifts(
    deploy: Deploy, client: Client
) -> None:
    def shifted(old_weight: int) -> Resources:
        version = resource("StepFunctions::StateMachineVersion", StateMachineArn=arn("Machine"))
        weights = [("One", old_weight), ("Two", 100 - old_weight)]
        routes = [{"StateMachineVersionArn": arn(v), "Weight": w} for v, w in weights if w]
        return {
            **state_machine(),
            "One": version,
            "Two": {
                **version,
                "Properties": {**version["Properties"], "Description": "second"},
                "DependsOn": "One",
            },
            "Live": resource(
                "StepFunctions::StateMachineAlias", Name="live", RoutingConfiguration=routes
            ),
        }

    def routing() -> dict[str, int]:
        described = client("stepfunctions").describe_state_machine_alias(
            stateMachineAliasArn=stack["Live"]
        )
        return {r["stateMachineVersionArn"]: r["weight"] for r in described["routingConfiguration"]}

    stack = deploy(shifted(100))
    machine, live = stack["Machine"], stack["Live"]
    assert live == f"{machine}:live"
    assert routing() == {stack["One"]: 100}

    stack.update(shifted(10))

    assert stack["Live"] == live
    assert routing() == {stack["One"]: 10, stack["Two"]: 90}

    stack.update(state_machine())

    versions = client("stepfunctions").list_state_machine_versions(stateMachineArn=machine)
    assert versions["stateMachineVersions"] == []


def rest_api(**validation: bool) -> Resources:
    return {
        "Api": resource("ApiGateway::RestApi", Name="orders"),
        "Validator": resource(
            "ApiGateway::RequestValidator", RestApiId={"Ref": "Api"}, Name="body", **validation
        ),
        "Post": resource(
            "ApiGateway::Method",
            RestApiId={"Ref": "Api"},
            ResourceId={"Fn::GetAtt": ["Api", "RootResourceId"]},
            HttpMethod="POST",
            AuthorizationType="NONE",
            RequestValidatorId={"Ref": "Validator"},
            Integration={"Type": "MOCK"},
        ),
    }


def test_a_method_has_its_request_validator(deploy: Deploy, client: Client) -> None:
    gateway = client("apigateway")
    stack = deploy(
        rest_api(ValidateRequestBody=True), Root={"Fn::GetAtt": ["Api", "RootResourceId"]}
    )
    api, validator = stack["Api"], stack["Validator"]

    found = gateway.get_request_validator(restApiId=api, requestValidatorId=validator)
    assert found["validateRequestBody"] is True
    method = gateway.get_method(restApiId=api, resourceId=stack.outputs["Root"], httpMethod="POST")
    assert method["requestValidatorId"] == validator

    stack.update(rest_api(ValidateRequestParameters=True))

    found = gateway.get_request_validator(restApiId=api, requestValidatorId=validator)
    assert stack["Validator"] == validator
    assert (found["validateRequestBody"], found["validateRequestParameters"]) == (False, True)


LIFECYCLE = {
    "Id": "age",
    "Status": "Enabled",
    "Prefix": "logs/",
    "ExpirationInDays": 30,
    "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 7}],
    "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
    "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "TransitionInDays": 1}],
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}
ENCRYPTION = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"}


def test_a_bucket_has_what_it_was_given_and_loses_what_it_is_not_given_any_more(
    deploy: Deploy, client: Client
) -> None:
    s3 = client("s3")
    stack = deploy(
        {
            "Bucket": resource(
                "S3::Bucket",
                LifecycleConfiguration={"Rules": [LIFECYCLE]},
                BucketEncryption={
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": ENCRYPTION, "BucketKeyEnabled": True}
                    ]
                },
                LoggingConfiguration={"DestinationBucketName": "logs", "LogFilePrefix": "of/"},
                AccelerateConfiguration={"AccelerationStatus": "Enabled"},
                Tags=[{"Key": "Name", "Value": "box"}],
            )
        }
    )
    bucket = stack["Bucket"]

    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule == {
        "ID": "age",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 30},
        "Transitions": [{"Days": 7, "StorageClass": "GLACIER"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        "NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER"}],
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    (encryption,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert encryption["ApplyServerSideEncryptionByDefault"] == ENCRYPTION
    assert encryption["BucketKeyEnabled"] is True
    logging = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    assert (logging["TargetBucket"], logging["TargetPrefix"]) == ("logs", "of/")
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Enabled"
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"Name": "box", "team": "rehearsal"}

    stack.update({"Bucket": resource("S3::Bucket")})

    assert stack["Bucket"] == bucket
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Suspended"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {"Prefix": ""}),
        ({"TagFilters": [{"Key": "a", "Value": "b"}]}, {"Tag": {"Key": "a", "Value": "b"}}),
        (
            {"Prefix": "x/", "ObjectSizeGreaterThan": "9"},
            {"And": {"Prefix": "x/", "ObjectSizeGreaterThan": 9}},
        ),
    ],
    ids=["all", "tag", "several"],
)
def test_a_lifecycle_rule_applies_to_what_it_says(
    deploy: Deploy, client: Client, conditions: dict[str, Any], expected: dict[str, Any]
) -> None:
    rule = {"Status": "Enabled", "ExpirationInDays": 1, **conditions}
    stack = deploy({"Bucket": resource("S3::Bucket", LifecycleConfiguration={"Rules": [rule]})})

    (found,) = client("s3").get_bucket_lifecycle_configuration(Bucket=stack["Bucket"])["Rules"]
    assert found["Filter"] == expected


def test_objects_are_encrypted_with_the_key_of_s3_if_there_is_no_other(
    deploy: Deploy, client: Client
) -> None:
    s3 = client("s3")
    rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    encryption = {"ServerSideEncryptionConfiguration": [rule]}
    stack = deploy({"Bucket": resource("S3::Bucket", BucketEncryption=encryption)})

    s3.put_object(Bucket=stack["Bucket"], Key="x", Body=b"y")

    found = s3.head_object(Bucket=stack["Bucket"], Key="x")
    assert found["ServerSideEncryption"] == "aws:kms"
    assert found["SSEKMSKeyId"].endswith("alias/aws/s3")
    s3.delete_object(Bucket=stack["Bucket"], Key="x")


def test_objects_are_locked_for_as_long_as_the_bucket_says(deploy: Deploy, client: Client) -> None:
    retention = {"Mode": "GOVERNANCE", "Days": 1}
    locked = resource(
        "S3::Bucket",
        ObjectLockEnabled=True,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": retention},
        },
    )
    stack = deploy({"Bucket": locked})

    found = client("s3").get_object_lock_configuration(Bucket=stack["Bucket"])
    assert found["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == retention


def test_a_bucket_replicates_to_another(deploy: Deploy, client: Client) -> None:
    versioned = {"VersioningConfiguration": {"Status": "Enabled"}}
    rule = {"Id": "all", "Status": "Enabled", "Destination": {"Bucket": arn("Copy")}, "Prefix": ""}
    stack = deploy(
        {
            **ROLE,
            "Copy": resource("S3::Bucket", **versioned),
            "Bucket": resource(
                "S3::Bucket",
                **versioned,
                ReplicationConfiguration={"Role": arn("Role"), "Rules": [rule]},
            ),
        }
    )

    found = client("s3").get_bucket_replication(Bucket=stack["Bucket"])["ReplicationConfiguration"]
    assert found["Rules"][0]["ID"] == "all"
    assert found["Rules"][0]["Destination"]["Bucket"] == f"arn:aws:s3:::{stack['Copy']}"


def group(**properties: Any) -> Resources:
    return {
        "Policy": resource("IAM::ManagedPolicy", PolicyDocument=POLICY),
        "Group": resource("IAM::Group", **properties),
        "User": resource("IAM::User"),
        "Member": resource(
            "IAM::UserToGroupAddition", GroupName={"Ref": "Group"}, Users=[{"Ref": "User"}]
        ),
    }


def test_a_group_has_policies_and_members(deploy: Deploy, client: Client) -> None:
    iam = client("iam")
    stack = deploy(
        group(
            Policies=[{"PolicyName": "inline", "PolicyDocument": POLICY}],
            ManagedPolicyArns=[{"Ref": "Policy"}],
        ),
        Arn=arn("Group"),
    )
    name = stack["Group"]

    found = iam.get_group(GroupName=name)
    assert stack.outputs["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/{name}"
    assert [user["UserName"] for user in found["Users"]] == [stack["User"]]
    assert iam.list_group_policies(GroupName=name)["PolicyNames"] == ["inline"]
    attached = iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [stack["Policy"]]

    stack.update(group())

    assert stack["Group"] == name
    assert iam.list_group_policies(GroupName=name)["PolicyNames"] == []
    assert iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"] == []

    stack.delete()

    assert name not in [found["GroupName"] for found in iam.list_groups()["Groups"]]


def test_an_access_key_belongs_to_its_user_and_can_be_switched_off(
    deploy: Deploy, client: Client
) -> None:
    iam = client("iam")

    def key(status: str) -> Resources:
        return {
            "User": resource("IAM::User"),
            "Key": resource("IAM::AccessKey", UserName={"Ref": "User"}, Status=status),
        }

    secret = {"Fn::GetAtt": ["Key", "SecretAccessKey"]}
    stack = deploy(key("Active"), Secret=secret)
    (found,) = iam.list_access_keys(UserName=stack["User"])["AccessKeyMetadata"]
    assert (found["AccessKeyId"], found["Status"]) == (stack["Key"], "Active")
    before = stack.outputs["Secret"]
    assert len(before) >= 20

    stack.update(key("Inactive"), Secret=secret)

    (found,) = iam.list_access_keys(UserName=stack["User"])["AccessKeyMetadata"]
    assert (found["AccessKeyId"], found["Status"]) == (stack["Key"], "Inactive")
    assert stack.outputs["Secret"] == before

    stack.update({"User": resource("IAM::User")})

    assert iam.list_access_keys(UserName=stack["User"])["AccessKeyMetadata"] == []


def test_a_composite_alarm_follows_other_alarms(deploy: Deploy, client: Client) -> None:
    cloudwatch = client("cloudwatch")
    simple = resource(
        "CloudWatch::Alarm",
        MetricName="errors",
        Namespace="test",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )

    def composite(description: str) -> Resources:
        rule = {"Fn::Sub": 'ALARM("${Simple}")'}
        return {
            "Simple": simple,
            "Both": resource(
                "CloudWatch::CompositeAlarm", AlarmRule=rule, AlarmDescription=description
            ),
        }

    def described() -> Any:
        return cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])[
            "CompositeAlarms"
        ]

    stack = deploy(composite("before"), Arn=arn("Both"))
    name = stack["Both"]
    (alarm,) = described()
    assert alarm["AlarmRule"] == f'ALARM("{stack["Simple"]}")'
    assert alarm["AlarmArn"] == stack.outputs["Arn"]

    stack.update(composite("after"), Arn=arn("Both"))

    (alarm,) = described()
    assert alarm["AlarmDescription"] == "after"
    assert stack.outputs["Arn"] == alarm["AlarmArn"]

    stack.update({"Simple": simple})

    assert described() == []
