"""What Machine promises, in a stack of its own."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from patterns.ec2 import Machine, current_amazon_linux
from tests.assembly import CONTEXT, StackTemplate


def synthesize(instance_type: str = "t4g.nano", script: str = "true", **choices: Any) -> Any:
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Stack")
    vpc = ec2.Vpc(stack, "Vpc", nat_gateways=0, restrict_default_security_group=False)
    user_data = ec2.UserData.for_linux()
    user_data.add_commands(script)
    kind = ec2.InstanceType(instance_type)
    Machine(
        stack,
        "Box",
        vpc=vpc,
        subnet=vpc.public_subnets[1],
        security_group=ec2.SecurityGroup(stack, "Group", vpc=vpc),
        instance_type=kind,
        machine_image=current_amazon_linux(kind),
        user_data=user_data,
        **choices,
    )
    return StackTemplate(json.loads(json.dumps(Template.from_stack(stack).to_json())))


@pytest.fixture
def stack() -> StackTemplate:
    made: StackTemplate = synthesize()
    return made


def test_its_metadata_wants_a_token_and_answers_no_container(stack: StackTemplate) -> None:
    options = stack["Box/Hardening"]["LaunchTemplateData"]["MetadataOptions"]

    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert stack["Box"]["LaunchTemplate"] == {
        "LaunchTemplateId": stack.ref("Box/Hardening"),
        "Version": stack.att("Box/Hardening", "LatestVersionNumber"),
    }


def test_nobody_logs_on_but_systems_manager_reaches_it(stack: StackTemplate) -> None:
    assert "KeyName" not in stack["Box"]
    [policy] = stack["Box/InstanceRole"]["ManagedPolicyArns"]
    assert policy["Fn::Join"][1][-1] == ":iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert stack["Box/InstanceProfile"]["Roles"] == [stack.ref("Box/InstanceRole")]
    assert stack["Box"]["IamInstanceProfile"] == stack.ref("Box/InstanceProfile")


def test_its_disk_is_encrypted_and_goes_with_it(stack: StackTemplate) -> None:
    [disk] = stack["Box"]["BlockDeviceMappings"]

    assert disk["DeviceName"] == "/dev/xvda"
    assert disk["Ebs"]["Encrypted"] is True
    assert disk["Ebs"]["DeleteOnTermination"] is True
    assert disk["Ebs"]["VolumeType"] == "gp3"


def test_it_does_not_cost_more_under_load(stack: StackTemplate) -> None:
    assert stack["Box"]["CreditSpecification"] == {"CPUCredits": "standard"}
    assert "Monitoring" not in stack["Box"]


def test_it_is_in_the_subnet_and_the_group_it_was_given(stack: StackTemplate) -> None:
    assert stack["Box"]["SubnetId"] == stack.ref("Vpc/PublicSubnet2/Subnet")
    assert stack["Box"]["SecurityGroupIds"] == [stack.att("Group", "GroupId")]


@pytest.mark.parametrize(("choice", "kept"), [(False, True), (True, False)])
def test_a_changed_script_replaces_it_only_where_that_is_wanted(choice: bool, kept: bool) -> None:
    def name(script: str) -> str:
        made = synthesize(script=script, user_data_causes_replacement=choice)
        [logical_id] = made.of_type("AWS::EC2::Instance")
        return str(logical_id)

    assert (name("echo 1") == name("echo 2")) is kept


@pytest.mark.parametrize(("kind", "architecture"), [("t4g.nano", "-arm64"), ("t3.nano", "-x86_64")])
def test_the_current_image_is_of_the_architecture_of_the_type(kind: str, architecture: str) -> None:
    stack = synthesize(kind)

    parameter = stack.body["Parameters"][stack["Box"]["ImageId"]["Ref"]]
    assert parameter["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert parameter["Default"].endswith(architecture)
