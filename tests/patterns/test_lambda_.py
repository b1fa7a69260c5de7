"""What PythonFunction promises, over every use of it in the app and in a stack of its own."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from patterns.lambda_ import PackagesLayer, PythonFunction
from patterns.validations import InvalidArgumentError
from tests.assembly import CONTEXT, StackTemplate


def synthesize(source: Path, *, in_vpc: bool = False) -> StackTemplate:
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Stack")
    PythonFunction(
        stack,
        "Fn",
        source=source,
        timeout=cdk.Duration.seconds(3),
        log_retention=logs.RetentionDays.ONE_WEEK,
        vpc=ec2.Vpc(stack, "Vpc", restrict_default_security_group=False) if in_vpc else None,
    )
    return StackTemplate(json.loads(json.dumps(Template.from_stack(stack).to_json())))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "index.py").write_text("def handler(event, context): ...\n")
    return tmp_path


@pytest.fixture
def stack(source: Path) -> StackTemplate:
    return synthesize(source)


def test_it_writes_to_its_own_log_group_which_goes_with_the_stack(stack: StackTemplate) -> None:
    assert stack["Fn"]["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": stack.ref("FnLogs")}
    assert stack["FnLogs"]["RetentionInDays"] == 7
    log_group = stack.body["Resources"][stack.logical_id("FnLogs")]
    assert log_group["DeletionPolicy"] == "Delete"


def test_it_may_do_nothing_but_log_and_trace(stack: StackTemplate) -> None:
    assert "ManagedPolicyArns" not in stack["FnRole"]
    assert stack["Fn"]["Role"] == stack.att("FnRole")
    assert stack.allowed("FnRole", stack.att("FnLogs")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert stack.allowed("FnRole", "*") == {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }
    assert len(stack.statements("FnRole")) == 2


def test_in_a_vpc_lambda_may_manage_network_interfaces_for_it_and_its_code_may_not(
    source: Path,
) -> None:
    stack = synthesize(source, in_vpc=True)
    statements = stack.statements("FnRole")

    allowed = {
        action
        for statement in statements
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        if action.startswith("ec2:")
    }
    assert {"ec2:CreateNetworkInterface", "ec2:DescribeSubnets"} <= allowed
    [denied] = (statement for statement in statements if statement["Effect"] == "Deny")
    assert (set(denied["Action"]), denied["Resource"]) == (allowed, "*")
    assert denied["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}
    assert {action for action in stack.allowed("FnRole", "*") if action.startswith("ec2:")} == {
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
    }
    assert "ManagedPolicyArns" not in stack["FnRole"]


def test_it_runs_a_current_python_on_graviton_and_is_traced(stack: StackTemplate) -> None:
    function = stack["Fn"]

    assert (function["Runtime"], function["Architectures"]) == ("python3.14", ["arm64"])
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert (function["MemorySize"], function["Timeout"]) == (128, 3)


def test_byte_code_of_a_test_run_does_not_change_what_is_deployed(source: Path) -> None:
    before = synthesize(source)["Fn"]["Code"]
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "index.pyc").write_bytes(b"byte code")
    assert synthesize(source)["Fn"]["Code"] == before

    (source / "index.py").write_text("def handler(event, context): return 1\n")
    assert synthesize(source)["Fn"]["Code"] != before


def test_one_folder_of_source_may_have_several_functions_to_call(source: Path) -> None:
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Stack")
    for name in ("get", "put"):
        PythonFunction(
            stack,
            name,
            source=source,
            handler=f"index.{name}",
            timeout=cdk.Duration.seconds(3),
            log_retention=logs.RetentionDays.ONE_WEEK,
        )

    template = Template.from_stack(stack).to_json()["Resources"].values()
    handlers = [
        resource["Properties"]["Handler"]
        for resource in template
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert handlers == ["index.get", "index.put"]


def layer(source: Path) -> StackTemplate:
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Stack")
    PackagesLayer(stack, "Layer", source=source, description="A client")
    return StackTemplate(json.loads(json.dumps(Template.from_stack(stack).to_json())))


def test_a_layer_is_made_of_the_installed_packages_and_not_of_how_they_got_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "client.py").write_text("")
    before = layer(tmp_path)["Layer"]
    assert before["CompatibleRuntimes"] == ["python3.14"]

    (tmp_path / "requirements.txt").write_text("client==1")
    (tmp_path / "python" / "__pycache__").mkdir()
    (tmp_path / "python" / "__pycache__" / "client.pyc").write_bytes(b"byte code")
    assert layer(tmp_path)["Layer"] == before

    (tmp_path / "python" / "client.py").write_text("version = 2\n")
    assert layer(tmp_path)["Layer"] != before


def test_a_layer_of_packages_that_nobody_installed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"python is missing; run make setup$"):
        layer(tmp_path)
