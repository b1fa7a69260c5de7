"""What must stay true of the ec2 blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.ec2 import BakedImage, Ec2Stack
from tests.assembly import Assembly, StackTemplate, alone

ANYWHERE = "0.0.0.0/0"
ARM, X86 = ec2.InstanceArchitecture.ARM_64, ec2.InstanceArchitecture.X86_64
BAKED = "ami-0123456789abcdef0"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["ec2"].body == snapshot


@pytest.fixture
def stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["ec2"]


def compose(app: cdk.App, **choices: Any) -> None:
    """The stack alone, in a VPC like the one it is usually in."""
    network = cdk.Stack(app, "network")
    vpc = ec2.Vpc(network, "Vpc", nat_gateways=0, restrict_default_security_group=False)
    Ec2Stack(app, "ec2", vpc=vpc, **choices)


@pytest.fixture(scope="module")
def baked() -> Assembly:
    return alone(compose, image=BakedImage({"eu-west-1": BAKED}, architecture=ARM))


def machine(stack: StackTemplate) -> dict[str, Any]:
    """The instance, whose logical id carries a hash of its script."""
    [instance] = stack.of_type("AWS::EC2::Instance").values()
    return instance


def rules(stack: StackTemplate) -> list[dict[str, Any]]:
    """Every rule of a security group, wherever the template has it."""
    groups = stack.of_type("AWS::EC2::SecurityGroup").values()
    return [
        *stack.of_type("AWS::EC2::SecurityGroupIngress").values(),
        *(rule for group in groups for rule in group.get("SecurityGroupIngress", [])),
        *(rule for group in groups for rule in group.get("SecurityGroupEgress", [])),
    ]


@pytest.mark.concept("ec2.virtual-machine")
def test_the_machine_is_small_and_its_image_is_of_its_architecture(stack: StackTemplate) -> None:
    assert machine(stack)["InstanceType"] == "t4g.nano"
    image = stack.body["Parameters"][machine(stack)["ImageId"]["Ref"]]["Default"]
    assert image.endswith("-arm64")


@pytest.mark.concept("ec2.virtual-machine")
def test_the_launch_template_has_metadata_ask_for_a_token(stack: StackTemplate) -> None:
    options = stack["Machine/Hardening"]["LaunchTemplateData"]["MetadataOptions"]

    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert machine(stack)["LaunchTemplate"] == {
        "LaunchTemplateId": stack.ref("Machine/Hardening"),
        "Version": stack.att("Machine/Hardening", "LatestVersionNumber"),
    }


@pytest.mark.concept("ec2.user-data")
def test_a_script_installs_the_web_server_and_leaves_a_stamp(stack: StackTemplate) -> None:
    script = machine(stack)["UserData"]["Fn::Base64"]
    shebang, *commands = script.splitlines()

    assert shebang == "#!/bin/bash"
    assert "dnf install --assumeyes nginx" in commands
    assert any("$(date" in command and "index.html" in command for command in commands)
    assert len(script.encode()) < 16 * 1024


def test_a_changed_script_gets_a_new_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def logical_id() -> str:
        [name] = alone(compose).stacks["ec2"].of_type("AWS::EC2::Instance")
        return name

    before = logical_id()
    script = ec2.UserData.for_linux()
    script.add_commands("true")
    monkeypatch.setattr("stacks.ec2.stack._set_up", lambda: script)

    assert logical_id() != before


@pytest.mark.concept("ec2.ami")
def test_the_current_image_is_asked_for_when_the_stack_is_deployed(stack: StackTemplate) -> None:
    parameter = stack.body["Parameters"][machine(stack)["ImageId"]["Ref"]]

    assert parameter["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert parameter["Default"].startswith("/aws/service/ami-amazon-linux-latest/al2023-ami-")


@pytest.mark.concept("ec2.ami")
def test_a_baked_image_starts_without_a_script_in_the_regions_that_have_it(
    baked: Assembly,
) -> None:
    stack = baked.stacks["ec2"]

    assert "UserData" not in machine(stack)
    [table, region, name] = machine(stack)["ImageId"]["Fn::FindInMap"]
    assert region == {"Ref": "AWS::Region"}
    assert stack.body["Mappings"][table] == {"eu-west-1": {name: BAKED}}


def test_with_a_baked_image_nothing_is_found_that_is_not_acknowledged(baked: Assembly) -> None:
    assert not baked.findings("ec2")


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        (
            {"image": BakedImage({"eu-west-1": BAKED}, architecture=X86)},
            "image ami-0123456789abcdef0 is for X86_64, but t4g.nano is ARM_64: "
            "bake one on such a machine, or choose an instance_type of X86_64",
        ),
        (
            {
                "image": BakedImage({"eu-west-1": BAKED}, architecture=ARM),
                "instance_type": ec2.InstanceType("t3.nano"),
            },
            "image ami-0123456789abcdef0 is for ARM_64, but t3.nano is X86_64: "
            "bake one on such a machine, or choose an instance_type of ARM_64",
        ),
        (
            {"image": BakedImage({"eu-west-1": "web-server"}, architecture=ARM)},
            "image 'web-server' of eu-west-1 is no AMI; give an id like ami-0123456789abcdef0",
        ),
        (
            {"instance_type": ec2.InstanceType("small")},
            "instance_type 'small' is none; give one like t4g.nano",
        ),
    ],
    ids=["x86 image", "x86 machine", "no image", "no type"],
)
def test_what_cannot_start_is_refused_in_one_line(choices: dict[str, Any], line: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        alone(compose, **choices)

    assert str(refused.value) == line


def test_another_architecture_has_an_image_of_its_own() -> None:
    stack = alone(compose, instance_type=ec2.InstanceType("t3.nano")).stacks["ec2"]

    image = stack.body["Parameters"][machine(stack)["ImageId"]["Ref"]]["Default"]
    assert image.endswith("-x86_64")


@pytest.mark.concept("ec2.security-group-firewall")
def test_only_the_web_port_of_the_machine_is_open(stack: StackTemplate) -> None:
    [rule] = stack["Web"]["SecurityGroupIngress"]

    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 80, 80)
    assert machine(stack)["SecurityGroupIds"] == [stack.att("Web", "GroupId")]
    into_web = [
        rule
        for rule in stack.of_type("AWS::EC2::SecurityGroupIngress").values()
        if rule["GroupId"] == stack.att("Web", "GroupId")
    ]
    assert not into_web


@pytest.mark.concept("ec2.sg-allow-only")
def test_no_rule_of_a_group_has_a_place_for_a_deny_and_one_of_a_network_acl_has(
    sandbox: Assembly,
) -> None:
    which = {"GroupId", "IpProtocol", "FromPort", "ToPort", "Description"}
    whom = {"CidrIp", "SourceSecurityGroupId"}

    for rule in rules(sandbox.stacks["ec2"]):
        assert rule.keys() <= which | whom
    entries = sandbox.stacks["vpc"].of_type("AWS::EC2::NetworkAclEntry").values()
    assert {entry["RuleAction"] for entry in entries} == {"allow", "deny"}


@pytest.mark.concept("ec2.sg-sources")
def test_one_rule_names_addresses_and_another_names_the_first_group(stack: StackTemplate) -> None:
    [everybody] = stack["Web"]["SecurityGroupIngress"]
    [members] = stack.of_type("AWS::EC2::SecurityGroupIngress").values()

    assert everybody["CidrIp"] == ANYWHERE
    assert "SecurityGroupIngress" not in stack["App"]
    assert members["GroupId"] == stack.att("App", "GroupId")
    assert members["SourceSecurityGroupId"] == stack.att("Web", "GroupId")
    assert (members["FromPort"], members["ToPort"]) == (8080, 8080)


@pytest.mark.concept("ec2.sg-defaults")
def test_a_group_lets_everything_out_unless_it_is_closed(stack: StackTemplate) -> None:
    [out] = stack["Web"]["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["CidrIp"]) == ("-1", ANYWHERE)

    # CloudFormation takes no empty list: this allows what nobody can send.
    [nothing] = stack["App"]["SecurityGroupEgress"]
    assert (nothing["IpProtocol"], nothing["CidrIp"]) == ("icmp", "255.255.255.255/32")


def test_the_machine_has_no_key_pair_and_only_what_systems_manager_needs(
    stack: StackTemplate,
) -> None:
    assert "KeyName" not in machine(stack)
    assert machine(stack)["IamInstanceProfile"] == stack.ref("Machine/InstanceProfile")
    assert stack["Machine/InstanceProfile"]["Roles"] == [stack.ref("Machine/InstanceRole")]
    [policy] = stack["Machine/InstanceRole"]["ManagedPolicyArns"]
    assert policy["Fn::Join"][1][-1] == ":iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert "AWS::IAM::Policy" not in stack.types()


def test_the_disk_is_encrypted_and_the_processor_does_not_cost_more_under_load(
    stack: StackTemplate,
) -> None:
    [disk] = machine(stack)["BlockDeviceMappings"]

    assert (disk["DeviceName"], disk["Ebs"]["Encrypted"]) == ("/dev/xvda", True)
    assert machine(stack)["CreditSpecification"] == {"CPUCredits": "standard"}
