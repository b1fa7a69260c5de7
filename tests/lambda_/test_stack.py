"""What must stay true of the lambda blueprint; the snapshot shows whatever else changed."""

import shutil
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_lambda as lambda_
from syrupy.assertion import SnapshotAssertion

from stacks.lambda_ import LambdaStack
from stacks.lambda_ import stack as module
from stacks.profile import SANDBOX
from tests.assembly import Assembly, StackTemplate, alone


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["lambda"].body == snapshot


@pytest.fixture
def stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["lambda"]


def compose(app: cdk.App, *, with_image: bool = False) -> None:
    """The stack, and one that has an image for it."""
    elsewhere = cdk.Stack(app, "elsewhere")
    cdk.CfnWaitConditionHandle(elsewhere, "Something")  # no template without a resource
    repository = ecr.Repository.from_repository_name(elsewhere, "Images", "greet")
    image = lambda_.DockerImageCode.from_ecr(repository, tag_or_digest="1.0")
    LambdaStack(
        app,
        "lambda",
        removal_policy=SANDBOX.removal_policy,
        log_retention=SANDBOX.log_retention,
        image=image if with_image else None,
    )


def version_id(stack: StackTemplate) -> str:
    [logical_id] = stack.of_type("AWS::Lambda::Version")
    return logical_id


@pytest.mark.concept("lambda.http-endpoint")
def test_one_function_url_is_public_and_the_other_wants_a_signature(stack: StackTemplate) -> None:
    assert stack["Live/FunctionUrl"]["AuthType"] == "NONE"
    assert stack["DescribeCall/FunctionUrl"] == {
        "AuthType": "AWS_IAM",
        "TargetFunctionArn": stack.att("DescribeCall"),
    }

    # A public URL needs both since October 2025; they open the alias, and nothing else.
    everybody = [
        p for p in stack.of_type("AWS::Lambda::Permission").values() if p["Principal"] == "*"
    ]
    live = {"FunctionName": stack.ref("Live"), "Principal": "*"}
    assert {
        "Action": "lambda:InvokeFunctionUrl",
        "FunctionUrlAuthType": "NONE",
        **live,
    } in everybody
    assert {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True, **live} in everybody
    assert all(permission["FunctionName"] == stack.ref("Live") for permission in everybody)


@pytest.mark.concept("lambda.http-endpoint")
def test_http_needs_no_load_balancer_and_the_api_no_role_of_the_whole_account(
    stack: StackTemplate,
) -> None:
    assert stack["Api/GET"]["Integration"]["Type"] == "AWS_PROXY"
    assert not [kind for kind in stack.types() if "LoadBalancing" in kind]
    assert "AWS::ApiGateway::Account" not in stack.types()


@pytest.mark.concept("lambda.handler-params")
def test_every_function_names_its_handler_as_module_and_function(stack: StackTemplate) -> None:
    handlers = {fn["Handler"] for fn in stack.of_type("AWS::Lambda::Function").values()}

    assert handlers == {"index.handler"}


@pytest.mark.concept("lambda.env-vars")
def test_environment_variables_are_references_so_no_secret_is_in_clear_text(
    stack: StackTemplate,
) -> None:
    assert stack["DescribeCall"]["Environment"]["Variables"] == {"TABLE_NAME": stack.ref("Calls")}
    assert stack["FetchDocument"]["Environment"]["Variables"] == {
        "BUCKET_NAME": stack.ref("Documents")
    }
    for function in stack.of_type("AWS::Lambda::Function").values():
        for name, value in function.get("Environment", {"Variables": {}})["Variables"].items():
            assert set(value) == {"Ref"}, name


def test_functions_may_only_count_a_call_and_read_a_document(stack: StackTemplate) -> None:
    assert stack.allowed("DescribeCallRole", stack.att("Calls")) == {"dynamodb:UpdateItem"}
    documents = {"Fn::Join": ["", [stack.att("Documents"), "/*"]]}
    assert stack.allowed("FetchDocumentRole", documents) == {"s3:GetObject"}

    own = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments"}
    own |= {"xray:PutTelemetryRecords"}
    for role, more in (("DescribeCallRole", 1), ("FetchDocumentRole", 1), ("GreetRole", 0)):
        others = [s for s in stack.statements(role) if not set(listed(s["Action"])) <= own]
        assert len(others) == more, role


def listed(action: str | list[str]) -> list[str]:
    return [action] if isinstance(action, str) else action


@pytest.mark.concept("lambda.memory-cpu")
def test_the_same_code_runs_in_128_and_in_1769_mb(stack: StackTemplate) -> None:
    small, large = stack["CountPrimesSmall"], stack["CountPrimesLarge"]

    assert (small["MemorySize"], large["MemorySize"]) == (128, 1769)
    assert small["Code"] == large["Code"]


@pytest.mark.concept("lambda.tmp-space")
def test_tmp_has_a_gibibyte(stack: StackTemplate) -> None:
    assert stack["FetchDocument"]["EphemeralStorage"] == {"Size": 1024}


@pytest.mark.concept("lambda.layers")
def test_two_functions_share_a_layer_made_for_their_runtime(stack: StackTemplate) -> None:
    sharing = [stack["DescribeCall"], stack["FetchDocument"]]

    assert [fn["Layers"] for fn in sharing] == [[stack.ref("ExecutionEnvironment")]] * 2
    [runtime] = stack["ExecutionEnvironment"]["CompatibleRuntimes"]
    assert runtime.startswith("python")
    assert {fn["Runtime"] for fn in sharing} == {runtime}


@pytest.mark.concept("lambda.container-image")
def test_an_image_brings_its_own_runtime_and_handler(stack: StackTemplate) -> None:
    assembly = alone(compose, with_image=True)
    image = assembly.stacks["lambda"]
    function = image["GreetFromImage"]

    assert function["PackageType"] == "Image"
    parts = function["Code"]["ImageUri"]["Fn::Join"][1]
    uri = "".join(part if isinstance(part, str) else "*" for part in parts)
    assert uri == "*.dkr.ecr.*.*/greet:1.0"
    assert not {"Runtime", "Handler"} & function.keys()
    assert image.att("GreetFromImageRole") == function["Role"]
    assert function["LoggingConfig"]["LogGroup"] == image.ref("GreetFromImageLogs")
    assert "GreetFromImageName" in image.body["Outputs"]
    assert not assembly.findings("lambda")

    without = stack.of_type("AWS::Lambda::Function").values()
    assert not [fn for fn in without if fn.get("PackageType") == "Image"]


@pytest.mark.concept("lambda.version")
def test_changed_code_is_published_as_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: StackTemplate
) -> None:
    [version] = stack.of_type("AWS::Lambda::Version").values()
    assert version["FunctionName"] == stack.ref("Greet")

    shutil.copytree(module.HANDLERS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(module, "HANDLERS", tmp_path)
    same = version_id(alone(compose).stacks["lambda"])
    with (tmp_path / "greet" / "index.py").open("a") as source:
        source.write("# changed\n")
    changed = version_id(alone(compose).stacks["lambda"])

    assert same == version_id(stack)
    assert changed != same


@pytest.mark.concept("lambda.alias")
def test_callers_reach_a_version_by_the_alias_live_only(stack: StackTemplate) -> None:
    assert stack["Live"] == {
        "Name": "live",
        "FunctionName": stack.ref("Greet"),
        "FunctionVersion": {"Fn::GetAtt": [version_id(stack), "Version"]},
    }

    url = stack["Live/FunctionUrl"]
    assert (url["TargetFunctionArn"], url["Qualifier"]) == (stack.att("Greet"), "live")
    uri = stack["Api/GET"]["Integration"]["Uri"]["Fn::Join"][1]
    assert stack.ref("Live") in uri
    assert stack.att("Greet") not in uri


def test_documents_travel_over_tls_only(stack: StackTemplate) -> None:
    policy = stack["Documents/Policy"]["PolicyDocument"]["Statement"]

    refused = [s["Condition"] for s in policy if (s["Effect"], s["Action"]) == ("Deny", "s3:*")]
    assert {"Bool": {"aws:SecureTransport": "false"}} in refused
    assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in refused


def test_the_api_limits_what_strangers_can_spend(stack: StackTemplate) -> None:
    [settings] = stack["Api/DeploymentStage.v1"]["MethodSettings"]

    assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
    assert settings["ThrottlingRateLimit"] <= 10
    assert settings["ThrottlingBurstLimit"] <= 20


@pytest.mark.parametrize("data", ["Calls", "Documents"])
def test_production_keeps_what_it_stores(
    stack: StackTemplate, production: Assembly, data: str
) -> None:
    def policy(template: StackTemplate) -> str:
        return str(template.body["Resources"][template.logical_id(data)]["DeletionPolicy"])

    assert policy(stack) == "Delete"
    assert policy(production.stacks["lambda"]) == "Retain"
