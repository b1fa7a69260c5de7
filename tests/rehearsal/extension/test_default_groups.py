"""The security group that a VPC starts with, as EC2 then describes it."""

from typing import Any

from tests.rehearsal.extension.conftest import Client, Deploy

VPC: dict[str, Any] = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}}


def default_group(client: Client, vpc: str) -> dict[str, Any]:
    filters = [
        {"Name": "vpc-id", "Values": [vpc]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    (group,) = client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return dict(group)


def test_members_of_the_default_group_let_each_other_in(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Vpc": VPC})
    group = default_group(client, stack["Vpc"])

    (rule,) = group["IpPermissions"]
    assert rule["IpProtocol"] == "-1"
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]
    assert not rule["IpRanges"]


def test_a_changed_vpc_has_its_rule_once(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Vpc": VPC})

    stack.update({"Vpc": {**VPC, "Properties": {**VPC["Properties"], "EnableDnsHostnames": True}}})

    assert len(default_group(client, stack["Vpc"])["IpPermissions"]) == 1
