"""What must stay true of the vpc blueprint; the snapshot shows whatever else changed."""

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from stacks.profile import Nat
from stacks.vpc import VpcStack
from tests.assembly import Assembly, StackTemplate, alone

ANYWHERE = "0.0.0.0/0"
TIERS = ("Public", "Private", "Isolated")


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["vpc"].body == snapshot


@pytest.fixture
def vpc(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["vpc"]


def choose(nat: Nat) -> Assembly:
    """The stack alone, in the smallest range, with any NAT."""
    return alone(
        VpcStack,
        "vpc",
        cidr="10.0.0.0/24",
        availability_zones=2,
        nat=nat,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        log_retention=logs.RetentionDays.ONE_WEEK,
    )


def subnets(tier: str) -> list[str]:
    return [f"Network/{tier}Subnet{number}" for number in (1, 2)]


def routes(stack: StackTemplate, subnet: str) -> list[dict[str, Any]]:
    """The routes of the table that a subnet is associated with."""
    [table] = (
        association["RouteTableId"]
        for association in stack.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
        if association["SubnetId"] == stack.ref(f"{subnet}/Subnet")
    )
    return [
        route
        for route in stack.of_type("AWS::EC2::Route").values()
        if route["RouteTableId"] == table
    ]


def default_routes(stack: StackTemplate, tier: str) -> list[dict[str, Any]]:
    """Where each subnet of a kind sends everything, without the names of its table."""
    found = [route for subnet in subnets(tier) for route in routes(stack, subnet)]
    assert {route["DestinationCidrBlock"] for route in found} <= {ANYWHERE}
    return [
        {name: value for name, value in route.items() if name.endswith(("GatewayId", "InstanceId"))}
        for route in found
    ]


def depends_on(stack: StackTemplate, path: str) -> list[str]:
    after: list[str] = stack.body["Resources"][stack.logical_id(path)]["DependsOn"]
    return after


@pytest.mark.concept("vpc.subnet")
def test_the_subnets_share_the_range_without_overlap_in_two_zones(vpc: StackTemplate) -> None:
    described = [vpc[f"{each}/Subnet"] for tier in TIERS for each in subnets(tier)]
    ranges = [IPv4Network(subnet["CidrBlock"]) for subnet in described]
    whole = IPv4Network(vpc["Network"]["CidrBlock"])

    assert all(each.subnet_of(whole) for each in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    zones = [subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in described]
    assert zones == [0, 1] * len(TIERS)


@pytest.mark.concept("vpc.public-subnet")
def test_public_subnets_give_out_addresses_and_send_everything_to_the_internet_gateway(
    vpc: StackTemplate,
) -> None:
    gateway = vpc.ref("Network/IGW")

    assert default_routes(vpc, "Public") == [{"GatewayId": gateway}] * 2
    for subnet in subnets("Public"):
        assert vpc[f"{subnet}/Subnet"]["MapPublicIpOnLaunch"] is True


@pytest.mark.concept("vpc.private-subnet")
@pytest.mark.parametrize("tier", ["Private", "Isolated"])
def test_no_private_subnet_has_a_route_to_an_internet_gateway(
    assembly: Assembly, tier: str
) -> None:
    stack = assembly.stacks["vpc"]

    for subnet in subnets(tier):
        assert not any("GatewayId" in route for route in routes(stack, subnet))
        assert stack[f"{subnet}/Subnet"]["MapPublicIpOnLaunch"] is False


@pytest.mark.concept("vpc.route-tables")
def test_each_subnet_has_a_table_of_its_own_and_only_default_routes_are_declared(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["vpc"]
    associations = stack.of_type("AWS::EC2::SubnetRouteTableAssociation").values()

    tables = {association["RouteTableId"]["Ref"] for association in associations}
    guests = {association["SubnetId"]["Ref"] for association in associations}
    assert tables == set(stack.of_type("AWS::EC2::RouteTable"))
    assert guests == set(stack.of_type("AWS::EC2::Subnet"))
    assert len(tables) == len(associations)
    for table in stack.of_type("AWS::EC2::RouteTable").values():
        assert table["VpcId"] == stack.ref("Network")
    for route in stack.of_type("AWS::EC2::Route").values():
        assert route["DestinationCidrBlock"] == ANYWHERE


@pytest.mark.concept("vpc.internet-gateway")
def test_the_internet_gateway_is_attached_to_the_vpc(vpc: StackTemplate) -> None:
    [attachment] = vpc.of_type("AWS::EC2::VPCGatewayAttachment").values()

    assert attachment["InternetGatewayId"] == vpc.ref("Network/IGW")
    assert attachment["VpcId"] == vpc.ref("Network")


def test_nothing_leaves_the_private_subnets_of_the_sandbox(vpc: StackTemplate) -> None:
    assert default_routes(vpc, "Private") == default_routes(vpc, "Isolated") == []
    assert not {"AWS::EC2::NatGateway", "AWS::EC2::Instance", "AWS::EC2::EIP"} & vpc.types()


@pytest.mark.concept("vpc.nat-gateway")
def test_in_production_private_subnets_leave_through_a_nat_gateway_in_their_own_zone(
    production: Assembly,
) -> None:
    stack = production.stacks["vpc"]

    for public in subnets("Public"):
        gateway = stack[f"{public}/NATGateway"]
        assert gateway["SubnetId"] == stack.ref(f"{public}/Subnet")
        assert gateway["AllocationId"] == stack.att(f"{public}/EIP", "AllocationId")
    assert default_routes(stack, "Private") == [
        {"NatGatewayId": stack.ref(f"{public}/NATGateway")} for public in subnets("Public")
    ]
    assert default_routes(stack, "Isolated") == []


@pytest.mark.concept("vpc.nat-gateway")
def test_a_regional_nat_gateway_serves_every_zone_and_needs_no_subnet() -> None:
    stack = choose(Nat.REGIONAL).stacks["vpc"]
    [(name, gateway)] = stack.of_type("AWS::EC2::NatGateway").items()

    assert gateway["AvailabilityMode"] == "regional"
    assert gateway["VpcId"] == stack.ref("Network")
    assert "SubnetId" not in gateway
    target = {"NatGatewayId": {"Fn::GetAtt": [name, "NatGatewayId"]}}
    assert default_routes(stack, "Private") == [target] * 2
    # AWS refuses one in a VPC to which no internet gateway is attached yet.
    assert stack.logical_id("Network/VPCGW") in depends_on(stack, "Network/RegionalNatGateway")


@pytest.mark.concept("vpc.nat-instance")
def test_a_nat_instance_forwards_what_is_not_its_own_for_all_private_subnets() -> None:
    stack = choose(Nat.INSTANCE).stacks["vpc"]
    [(name, instance)] = stack.of_type("AWS::EC2::Instance").items()

    assert instance["SourceDestCheck"] is False
    assert default_routes(stack, "Private") == [{"InstanceId": {"Ref": name}}] * 2
    [interface] = instance["NetworkInterfaces"]
    assert interface["SubnetId"] == stack.ref("Network/PublicSubnet1/Subnet")
    assert interface["AssociatePublicIpAddress"] is True


@pytest.mark.concept("vpc.nat-instance")
def test_a_nat_instance_is_small_current_and_hardened() -> None:
    stack = choose(Nat.INSTANCE).stacks["vpc"]
    [instance] = stack.of_type("AWS::EC2::Instance").values()

    assert instance["InstanceType"] == "t4g.nano"
    image = stack.body["Parameters"][instance["ImageId"]["Ref"]]["Default"]
    assert image.startswith("/aws/service/ami-amazon-linux-latest/al2023-")
    assert image.endswith("-arm64")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert [each["Ebs"]["Encrypted"] for each in instance["BlockDeviceMappings"]] == [True]


def test_a_nat_instance_listens_to_private_subnets_only_and_boots_behind_a_complete_acl() -> None:
    stack = choose(Nat.INSTANCE).stacks["vpc"]

    assert [
        (rule["CidrIp"], rule["IpProtocol"])
        for rule in stack["Network/NatSecurityGroup"]["SecurityGroupIngress"]
    ] == [(stack[f"{each}/Subnet"]["CidrBlock"], "-1") for each in subnets("Private")]
    before = set(depends_on(stack, "Network/PublicSubnet1/NatInstance"))
    assert before >= set(stack.of_type("AWS::EC2::NetworkAclEntry"))
    assert before >= set(stack.of_type("AWS::EC2::SubnetNetworkAclAssociation"))


@pytest.mark.concept("vpc.security-group-eni")
def test_a_security_group_sits_on_the_interface_of_an_instance_and_on_those_of_a_function() -> None:
    stack = choose(Nat.INSTANCE).stacks["vpc"]

    [instance] = stack.of_type("AWS::EC2::Instance").values()
    assert [interface["GroupSet"] for interface in instance["NetworkInterfaces"]] == [
        [stack.att("Network/NatSecurityGroup", "GroupId")]
    ]
    assert stack["LearnAddress"]["VpcConfig"] == {
        "SecurityGroupIds": [stack.att("LearnAddressGroup", "GroupId")],
        "SubnetIds": [stack.ref(f"{each}/Subnet") for each in subnets("Private")],
    }


def test_the_function_is_reached_by_nobody_and_speaks_https_only(vpc: StackTemplate) -> None:
    group = vpc["LearnAddressGroup"]

    assert "SecurityGroupIngress" not in group
    assert "AWS::EC2::SecurityGroupIngress" not in vpc.types()
    [rule] = group["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)


@pytest.mark.concept("vpc.nacl")
def test_the_network_acl_denies_before_it_allows_and_lets_answers_out(vpc: StackTemplate) -> None:
    deny, allow = vpc["PublicAcl/KeepOut"], vpc["PublicAcl/LetIn"]
    assert (deny["RuleAction"], allow["RuleAction"]) == ("deny", "allow")
    assert (deny["Egress"], allow["Egress"]) == (False, False)
    assert deny["RuleNumber"] < allow["RuleNumber"]
    assert IPv4Network(deny["CidrBlock"]).subnet_of(IPv4Network(allow["CidrBlock"]))

    tcp, udp = 6, 17
    for name, protocol in (("AnswerTcp", tcp), ("AnswerUdp", udp)):
        answer = vpc[f"PublicAcl/{name}"]
        assert (answer["Egress"], answer["RuleAction"]) == (True, "allow")
        assert (answer["Protocol"], answer["CidrBlock"]) == (protocol, ANYWHERE)
        assert answer["PortRange"] == {"From": 1024, "To": 65535}


@pytest.mark.concept("vpc.nacl")
def test_the_network_acl_guards_the_public_subnets_and_no_other(vpc: StackTemplate) -> None:
    guarded = vpc.of_type("AWS::EC2::SubnetNetworkAclAssociation").values()

    assert [each["NetworkAclId"] for each in guarded] == [vpc.ref("PublicAcl")] * 2
    assert [each["SubnetId"] for each in guarded] == [
        vpc.ref(f"{subnet}/Subnet") for subnet in subnets("Public")
    ]


@pytest.mark.parametrize(("path", "service"), [("S3", ".s3"), ("DynamoDb", ".dynamodb")])
def test_every_subnet_reaches_it_without_nat_and_without_charge(
    vpc: StackTemplate, path: str, service: str
) -> None:
    endpoint = vpc[f"Network/{path}"]

    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == service
    tables = {table["Ref"] for table in endpoint["RouteTableIds"]}
    assert tables == set(vpc.of_type("AWS::EC2::RouteTable"))


def test_all_traffic_is_logged_by_a_role_that_can_write_nothing_else(vpc: StackTemplate) -> None:
    [flow_log] = vpc.of_type("AWS::EC2::FlowLog").values()

    assert (flow_log["ResourceId"], flow_log["TrafficType"]) == (vpc.ref("Network"), "ALL")
    assert flow_log["LogGroupName"] == vpc.ref("FlowLogs")
    assert flow_log["DeliverLogsPermissionArn"] == vpc.att("FlowLogsRole")
    assert vpc.allowed("FlowLogsRole", vpc.att("FlowLogs")) == {
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    }
    assert len(vpc.statements("FlowLogsRole")) == 1
    [trust] = vpc["FlowLogsRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_production_keeps_its_flow_logs(vpc: StackTemplate, production: Assembly) -> None:
    def policy(stack: StackTemplate) -> str:
        return str(stack.body["Resources"][stack.logical_id("FlowLogs")]["DeletionPolicy"])

    assert policy(vpc) == "Delete"
    assert policy(production.stacks["vpc"]) == "Retain"


@pytest.mark.parametrize("nat", Nat)
def test_whichever_nat_is_chosen_nothing_is_found_that_is_not_acknowledged(nat: Nat) -> None:
    assembly = choose(nat)

    assert not assembly.findings("vpc")
    [output] = (
        each for name, each in assembly.stacks["vpc"].body["Outputs"].items() if name == "Nat"
    )
    assert output["Value"] == nat
