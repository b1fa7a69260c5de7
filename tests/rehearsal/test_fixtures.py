"""The fixtures of the exercises, at work on a deployed stack."""

import re
import subprocess

import pytest

from rehearsal.exercises import pytest_command
from tests.rehearsal.conftest import Cloud, Project, Template

ECHO = """
def handler(event, context):
    if "failure" in event:
        raise ValueError(event["failure"])
    if "echo" in event:
        return event
    path = event.get("rawPath") or event.get("path")
    return {"statusCode": 418, "headers": {"X-Path": path}, "body": event.get("body") or "short"}
"""
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    },
}
INVOKE_ARN = {
    "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Echo.Arn}"
    "/invocations"
}


def resource(kind: str, **properties: object) -> Template:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def ref(name: str) -> Template:
    return {"Ref": name}


SERVICES: Template = {
    "Resources": {
        "Role": ROLE,
        "Echo": resource(
            "Lambda::Function",
            Runtime="python3.13",
            Handler="index.handler",
            Code={"ZipFile": ECHO},
            Role={"Fn::GetAtt": ["Role", "Arn"]},
        ),
        "Url": resource("Lambda::Url", TargetFunctionArn=ref("Echo"), AuthType="NONE"),
        "HttpApi": resource("ApiGatewayV2::Api", Name="http", ProtocolType="HTTP"),
        "HttpIntegration": resource(
            "ApiGatewayV2::Integration",
            ApiId=ref("HttpApi"),
            IntegrationType="AWS_PROXY",
            IntegrationUri={"Fn::GetAtt": ["Echo", "Arn"]},
            PayloadFormatVersion="2.0",
        ),
        "HttpRoute": resource(
            "ApiGatewayV2::Route",
            ApiId=ref("HttpApi"),
            RouteKey="$default",
            Target={"Fn::Sub": "integrations/${HttpIntegration}"},
        ),
        "HttpStage": resource(
            "ApiGatewayV2::Stage", ApiId=ref("HttpApi"), StageName="$default", AutoDeploy=True
        ),
        "RestApi": resource("ApiGateway::RestApi", Name="rest"),
        "RestResource": resource(
            "ApiGateway::Resource",
            RestApiId=ref("RestApi"),
            ParentId={"Fn::GetAtt": ["RestApi", "RootResourceId"]},
            PathPart="tea",
        ),
        "RestMethod": resource(
            "ApiGateway::Method",
            RestApiId=ref("RestApi"),
            ResourceId=ref("RestResource"),
            HttpMethod="ANY",
            AuthorizationType="NONE",
            Integration={"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": INVOKE_ARN},
        ),
        "RestDeployment": {
            **resource("ApiGateway::Deployment", RestApiId=ref("RestApi")),
            "DependsOn": "RestMethod",
        },
        "RestStage": resource(
            "ApiGateway::Stage",
            RestApiId=ref("RestApi"),
            DeploymentId=ref("RestDeployment"),
            StageName="prod",
        ),
        "Queue": resource("SQS::Queue", MessageRetentionPeriod=60),
        "Bucket": resource("S3::Bucket"),
    },
    "Outputs": {
        "Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}},
        "EchoName": {"Value": ref("Echo")},
        "HttpApi": {"Value": {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}},
        "RestApi": {
            "Value": {
                "Fn::Sub": "https://${RestApi}.execute-api.${AWS::Region}.amazonaws.com/prod/"
            }
        },
        "Queue": {"Value": ref("Queue")},
        "Bucket": {"Value": ref("Bucket")},
    },
}
EXERCISE = """
import pytest
from botocore.exceptions import ClientError
from rehearsal.fixtures import FunctionError

def test_a_function_url_answers(fetch, outputs):
    answer = fetch(outputs["Url"] + "tea", "POST", "long", {"Content-Type": "text/plain"})
    assert (answer.status, answer.headers["x-path"], answer.body) == (418, "/tea", "long")

def test_an_http_api_answers(fetch, outputs):
    answer = fetch(outputs["HttpApi"] + "/tea?with=milk")
    assert (answer.status, answer.headers["x-path"], answer.body) == (418, "/tea", "short")

def test_a_rest_api_answers(fetch, outputs):
    answer = fetch(outputs["RestApi"] + "tea")
    assert (answer.status, answer.headers["x-path"], answer.body) == (418, "/tea", "short")

def test_a_function_gets_the_keywords_as_its_event(invoke, outputs):
    event = {"echo": True, "function_name": "tea", "leaves": ["grün", 2.5, None]}
    assert invoke(outputs["EchoName"], **event) == event

def test_what_a_function_raises_is_told(invoke, outputs):
    with pytest.raises(FunctionError, match="Error: no milk$"):
        invoke(outputs["EchoName"], failure="no milk")

def test_the_internet_is_out_of_reach(fetch):
    with pytest.raises(ValueError, match="reaches no other"):
        fetch("https://example.com/")

def test_a_signed_url_is_checked(fetch, outputs, client):
    s3 = client("s3")
    s3.put_object(Bucket=outputs["Bucket"], Key="tea", Body=b"leaves")
    url = s3.generate_presigned_url("get_object", {"Bucket": outputs["Bucket"], "Key": "tea"})
    assert fetch(url).body == "leaves"
    assert fetch(url + "0").status == 403
    s3.delete_object(Bucket=outputs["Bucket"], Key="tea")

def test_policies_decide_while_a_test_asks_for_it(policies_enforced, client, outputs):
    nobody = {"aws_access_key_id": "AKIANOBODY", "aws_secret_access_key": "none"}
    with pytest.raises(ClientError):
        client("s3", **nobody).list_objects_v2(Bucket=outputs["Bucket"])
    client("s3").list_objects_v2(Bucket=outputs["Bucket"])

def test_and_no_longer(client, outputs):
    nobody = {"aws_access_key_id": "AKIANOBODY", "aws_secret_access_key": "none"}
    client("s3", **nobody).list_objects_v2(Bucket=outputs["Bucket"])

def test_waiting_moves_the_emulator_s_clock(client, outputs, wait, eventually):
    sqs = client("sqs")
    sqs.send_message(QueueUrl=outputs["Queue"], MessageBody="old")
    wait(61)
    assert not sqs.receive_message(QueueUrl=outputs["Queue"]).get("Messages")

def test_eventually_gives_the_first_true_answer(eventually):
    answers = iter([None, [], "yes", "no"])
    assert eventually(lambda: next(answers)) == "yes"

def test_eventually_fails_with_question_and_answer(eventually):
    eventually(lambda: [] or 0, within=0.2)

def test_another_region_is_another_place(client, target):
    assert target == "rehearsal"
    assert client("sqs", region_name="eu-west-1").list_queues()["QueueUrls"] == []

@pytest.mark.aws_only
def test_only_aws_can_show_this():
    raise AssertionError
"""


@pytest.fixture(scope="module")
def exercised(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the exercise."""
    project = Project(tmp_path_factory.mktemp("fixtures"))
    project.compose(services=SERVICES)
    project.exercise("services", EXERCISE)
    cloud.create("tiny-services", SERVICES)
    command = pytest_command(
        project.directory / "stacks" / "services", target="rehearsal", prefix="tiny"
    )
    ran = subprocess.run(
        [*command, f"--endpoint={cloud.emulator.endpoint}"],
        cwd=project.directory,
        env=project.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    cloud.delete("tiny-services")
    return ran.stdout


@pytest.mark.parametrize(
    "promise",
    [
        "a_function_url_answers",
        "an_http_api_answers",
        "a_rest_api_answers",
        "a_function_gets_the_keywords_as_its_event",
        "what_a_function_raises_is_told",
        "the_internet_is_out_of_reach",
        "a_signed_url_is_checked",
        "policies_decide_while_a_test_asks_for_it",
        "and_no_longer",
        "waiting_moves_the_emulator_s_clock",
        "eventually_gives_the_first_true_answer",
        "another_region_is_another_place",
    ],
)
def test_in_rehearsal(promise: str, exercised: str) -> None:
    assert re.search(rf"::test_{promise} PASSED", exercised), exercised


def test_eventually_fails_with_question_and_answer(exercised: str) -> None:
    assert "not within 0.2 s: eventually(lambda: [] or 0, within=0.2)" in exercised
    assert "last answer: 0" in exercised


def test_what_only_aws_can_show_is_left_out_and_not_counted_as_skipped(exercised: str) -> None:
    assert "1 failed, 12 passed, 1 deselected" in exercised
