"""What must stay true of the vpc-connectivity blueprint; the snapshot shows what else changed."""

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.vpc_connectivity import VpcConnectivityStack
from tests.assembly import Assembly, StackTemplate, alone

Ref = dict[str, str]
PEERED = [("A", "B", "AToB"), ("B", "C", "BToC")]


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["vpc-connectivity"].body == snapshot


@pytest.fixture
def connectivity(assembly: Assembly) -> StackTemplate:
    return assembly.stacks["vpc-connectivity"]


def in_vpc(stack: StackTemplate, resource_type: str, vpc: str) -> list[Ref]:
    """References to everything of a type that lies in a VPC."""
    return [
        {"Ref": logical_id}
        for logical_id, properties in stack.of_type(resource_type).items()
        if properties["VpcId"] == stack.ref(f"Vpc{vpc}")
    ]


def routes(stack: StackTemplate, vpc: str) -> list[dict[str, Any]]:
    tables = in_vpc(stack, "AWS::EC2::RouteTable", vpc)
    found = stack.of_type("AWS::EC2::Route").values()
    return [route for route in found if route["RouteTableId"] in tables]


def cidr(stack: StackTemplate, vpc: str) -> str:
    return str(stack[f"Vpc{vpc}"]["CidrBlock"])


@pytest.mark.concept("vpc.peering")
def test_two_vpcs_are_peered_with_the_one_in_the_middle(connectivity: StackTemplate) -> None:
    assert [
        (peering["VpcId"], peering["PeerVpcId"])
        for peering in connectivity.of_type("AWS::EC2::VPCPeeringConnection").values()
    ] == [
        (connectivity.ref(f"Vpc{one}"), connectivity.ref(f"Vpc{other}")) for one, other, _ in PEERED
    ]


@pytest.mark.concept("vpc.peering")
@pytest.mark.parametrize(("one", "other", "name"), PEERED)
def test_every_table_of_both_peers_has_a_route_to_the_other(
    connectivity: StackTemplate, one: str, other: str, name: str
) -> None:
    for source, destination in ((one, other), (other, one)):
        tables = [
            route["RouteTableId"]
            for route in routes(connectivity, source)
            if route["DestinationCidrBlock"] == connectivity.att(f"Vpc{destination}", "CidrBlock")
            and route["VpcPeeringConnectionId"] == connectivity.att(f"{name}/Connection", "Id")
        ]
        assert tables == in_vpc(connectivity, "AWS::EC2::RouteTable", source)


@pytest.mark.concept("vpc.peering")
def test_there_is_no_other_route_and_no_two_ranges_overlap(connectivity: StackTemplate) -> None:
    for vpc, peers in (("A", "B"), ("B", "AC"), ("C", "B")):
        destinations = [route["DestinationCidrBlock"] for route in routes(connectivity, vpc)]
        assert all(
            destination in [connectivity.att(f"Vpc{peer}", "CidrBlock") for peer in peers]
            for destination in destinations
        )
    ranges = [IPv4Network(cidr(connectivity, vpc)) for vpc in "ABC"]
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


def test_no_vpc_has_a_way_to_the_internet(connectivity: StackTemplate) -> None:
    assert (
        not {
            "AWS::EC2::InternetGateway",
            "AWS::EC2::NatGateway",
            "AWS::EC2::EgressOnlyInternetGateway",
            "AWS::EC2::TransitGatewayAttachment",
        }
        & connectivity.types()
    )
    for subnet in connectivity.of_type("AWS::EC2::Subnet").values():
        assert subnet["MapPublicIpOnLaunch"] is False


@pytest.mark.concept("vpc.endpoint")
@pytest.mark.parametrize(("path", "service"), [("S3", ".s3"), ("DynamoDb", ".dynamodb")])
def test_a_gateway_endpoint_is_an_entry_in_every_route_table_of_its_vpc(
    connectivity: StackTemplate, path: str, service: str
) -> None:
    endpoint = connectivity[f"VpcA/{path}"]

    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == service
    assert endpoint["RouteTableIds"] == in_vpc(connectivity, "AWS::EC2::RouteTable", "A")
    assert not {"SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled"} & endpoint.keys()


@pytest.mark.concept("vpc.endpoint")
def test_an_interface_endpoint_lies_in_subnets_has_a_group_and_takes_over_the_public_name(
    connectivity: StackTemplate,
) -> None:
    endpoint = connectivity["VpcA/Sts"]

    assert endpoint["VpcEndpointType"] == "Interface"
    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == ".sts"
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["SubnetIds"] == in_vpc(connectivity, "AWS::EC2::Subnet", "A")
    assert endpoint["SecurityGroupIds"] == [connectivity.att("StsGroup", "GroupId")]
    # Without either the name would resolve to public addresses.
    for setting in ("EnableDnsHostnames", "EnableDnsSupport"):
        assert connectivity["VpcA"][setting] is True


def test_the_interface_endpoint_bills_for_one_zone_in_sandbox_and_for_two_in_production(
    sandbox: Assembly, production: Assembly
) -> None:
    zones = [
        len(each.stacks["vpc-connectivity"]["VpcA/Sts"]["SubnetIds"])
        for each in (sandbox, production)
    ]
    assert zones == [1, 2]


def test_the_interface_endpoint_answers_its_vpc_and_the_peer_on_https_only(
    connectivity: StackTemplate,
) -> None:
    rules = connectivity["StsGroup"]["SecurityGroupIngress"]

    assert [rule["CidrIp"] for rule in rules] == [cidr(connectivity, vpc) for vpc in "AB"]
    assert {(r["IpProtocol"], r["FromPort"], r["ToPort"]) for r in rules} == {("tcp", 443, 443)}


def test_the_endpoint_for_sts_serves_principals_of_this_account(
    connectivity: StackTemplate,
) -> None:
    [statement] = connectivity["VpcA/Sts"]["PolicyDocument"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:GetCallerIdentity")
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}
    }


def documents(stack: StackTemplate, keys: str) -> dict[str, Any]:
    return {"Fn::Join": ["", [stack.att("Documents"), f"/{keys}"]]}


@pytest.mark.concept("vpc.endpoint")
def test_the_endpoint_for_s3_lets_through_less_than_the_function_may(
    connectivity: StackTemplate,
) -> None:
    [statement] = connectivity["VpcA/S3"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "s3:PutObject")
    assert statement["Resource"] == documents(connectivity, "documents/*")

    may = connectivity.allowed("KeepDocumentRole", documents(connectivity, "*"))
    assert may == {"s3:PutObject"}


@pytest.mark.concept("vpc.endpoint")
def test_nobody_reads_or_writes_documents_but_through_the_endpoint(
    connectivity: StackTemplate,
) -> None:
    [policy] = connectivity.of_type("AWS::S3::BucketPolicy").values()
    [deny] = (
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if "StringNotEquals" in statement.get("Condition", {})
    )

    assert policy["Bucket"] == connectivity.ref("Documents")
    assert (deny["Effect"], deny["Principal"]) == ("Deny", {"AWS": "*"})
    assert deny["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert deny["Resource"] == documents(connectivity, "*")
    assert deny["Condition"] == {"StringNotEquals": {"aws:SourceVpce": connectivity.ref("VpcA/S3")}}


@pytest.mark.parametrize(
    ("function", "vpc"),
    [("KeepDocument", "A"), ("ConnectFromA", "A"), ("ConnectFromB", "B"), ("ConnectFromC", "C")],
)
def test_every_function_is_in_its_vpc_reached_by_nobody_and_speaks_https_only(
    connectivity: StackTemplate, function: str, vpc: str
) -> None:
    network = connectivity[function]["VpcConfig"]
    assert network["SubnetIds"] == in_vpc(connectivity, "AWS::EC2::Subnet", vpc)
    assert network["SecurityGroupIds"] == [connectivity.att(f"FunctionsIn{vpc}", "GroupId")]

    group = connectivity[f"FunctionsIn{vpc}"]
    assert "SecurityGroupIngress" not in group
    assert "AWS::EC2::SecurityGroupIngress" not in connectivity.types()
    [rule] = group["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)


def test_production_keeps_its_documents(sandbox: Assembly, production: Assembly) -> None:
    def policy(assembly: Assembly) -> str:
        stack = assembly.stacks["vpc-connectivity"]
        return str(stack.body["Resources"][stack.logical_id("Documents")]["DeletionPolicy"])

    assert policy(sandbox) == "Delete"
    assert policy(production) == "Retain"


@pytest.mark.parametrize(
    ("cidrs", "line"),
    [
        (
            ("10.1.0.0/24", "10.1.0.0/24", "10.3.0.0/24"),
            "the ranges 10.1.0.0/24 and 10.1.0.0/24 overlap, .*; give each VPC a range of its own",
        ),
        (
            ("10.1.0.0/24", "10.2.0.0/24", "10.1.0.0/16"),
            "the ranges 10.1.0.0/24 and 10.1.0.0/16 overlap",
        ),
        (("10.1.0.1/24", "10.2.0.0/24", "10.3.0.0/24"), "'10.1.0.1/24' .*has host bits set"),
        (("10.1.0.0/24", "here", "10.3.0.0/24"), "'here' is not an IPv4 range"),
        (("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/28"), "10.3.0.0/28 has the wrong size"),
        (("10.1.0.0/24", "127.0.0.0/24", "10.3.0.0/24"), "127.0.0.0/24 is one that EC2 keeps"),
        (("10.0.0.0/8", "11.2.0.0/24", "11.3.0.0/24"), "10.0.0.0/8 has the wrong size"),
    ],
)
def test_ranges_that_cannot_be_peered_are_refused_in_one_line(
    cidrs: tuple[str, str, str], line: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^vpc-connectivity: .*{line}") as refusal:
        alone(
            VpcConnectivityStack,
            "vpc-connectivity",
            availability_zones=1,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            log_retention=logs.RetentionDays.ONE_WEEK,
            cidrs=cidrs,
        )
    assert "\n" not in str(refusal.value)
