"""See the VPCs connected: ``make rehearse BLUEPRINT=vpc-connectivity``, or ``make exercise``.

On AWS it takes routes away for moments, puts some where they do not help, and for a minute makes a
VPC that cannot be peered. That costs nothing.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, FunctionError, Invoke

KEPT = "documents"
HTTPS = 443

Description = dict[str, Any]


class Vpc:
    """One of the deployed VPCs, as EC2 describes it."""

    def __init__(self, ec2: Any, vpc_id: str) -> None:
        """Know it by its id."""
        self.ec2, self.vpc_id = ec2, vpc_id
        [described] = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
        self.range = IPv4Network(described["CidrBlock"])

    def subnets(self) -> set[str]:
        """The ids of its subnets."""
        subnets = self.ec2.describe_subnets(Filters=[self._here()])["Subnets"]
        return {subnet["SubnetId"] for subnet in subnets}

    def tables(self) -> dict[str, list[Description]]:
        """The routes of its route tables that a subnet uses, by table."""
        tables = self.ec2.describe_route_tables(Filters=[self._here()])["RouteTables"]
        return {
            table["RouteTableId"]: table["Routes"]
            for table in tables
            if any("SubnetId" in association for association in table["Associations"])
        }

    def ways_to(self, other: "Vpc") -> list[Description]:
        """What each of its tables says of the other's range."""
        return [
            route
            for routes in self.tables().values()
            for route in routes
            if route.get("DestinationCidrBlock") == str(other.range)
        ]

    def _here(self) -> Description:
        return {"Name": "vpc-id", "Values": [self.vpc_id]}


@pytest.fixture(scope="module")
def ec2(client: Client) -> Any:
    """EC2's client."""
    return client("ec2")


@pytest.fixture(scope="module")
def vpcs(ec2: Any, outputs: dict[str, str]) -> dict[str, Vpc]:
    """The three, by their letters."""
    return {name: Vpc(ec2, outputs[f"Vpc{name}Id"]) for name in "ABC"}


@pytest.fixture(scope="module")
def vpc_endpoint(ec2: Any, outputs: dict[str, str]) -> Callable[[str], Description]:
    """What EC2 says of an endpoint, by the name of its output."""

    def describe(output: str) -> Description:
        described: list[Description] = ec2.describe_vpc_endpoints(VpcEndpointIds=[outputs[output]])[
            "VpcEndpoints"
        ]
        return described[0]

    return describe


@pytest.fixture(scope="module")
def interfaces(ec2: Any, vpc_endpoint: Callable[[str], Description]) -> list[Description]:
    """The network interfaces of the endpoint for STS."""
    ids = vpc_endpoint("StsEndpointId")["NetworkInterfaceIds"]
    described: list[Description] = ec2.describe_network_interfaces(NetworkInterfaceIds=ids)[
        "NetworkInterfaces"
    ]
    return described


@pytest.fixture(scope="module")
def call(invoke: Invoke, outputs: dict[str, str]) -> Callable[..., Any]:
    """Call a function by the name of its output, and wait for its answer."""
    return lambda output, **event: invoke(outputs[output], **event)


@pytest.fixture
def key(client: Client, outputs: dict[str, str]) -> Iterator[str]:
    """A document's, which is gone in the end: anybody may be allowed to delete it."""
    name = f"{KEPT}/{uuid4().hex}.txt"
    yield name
    client("s3").delete_object(Bucket=outputs["DocumentsName"], Key=name)


@contextlib.contextmanager
def routes_added(ec2: Any, source: Vpc, to: Vpc, through: str) -> Iterator[None]:
    """Every table of a VPC has one route more for a while."""
    destination = {"DestinationCidrBlock": str(to.range)}
    with contextlib.ExitStack() as undo:
        for table in source.tables():
            ec2.create_route(RouteTableId=table, VpcPeeringConnectionId=through, **destination)
            undo.callback(ec2.delete_route, RouteTableId=table, **destination)
        yield


@contextlib.contextmanager
def routes_missing(ec2: Any, source: Vpc, to: Vpc, through: str) -> Iterator[None]:
    """No table of a VPC has its route to another for a while."""
    destination = {"DestinationCidrBlock": str(to.range)}
    with contextlib.ExitStack() as undo:
        for table in source.tables():
            ec2.delete_route(RouteTableId=table, **destination)
            undo.callback(
                ec2.create_route, RouteTableId=table, VpcPeeringConnectionId=through, **destination
            )
        yield


@contextlib.contextmanager
def let_in(ec2: Any, group: str, guest: Vpc) -> Iterator[None]:
    """A security group lets a VPC in for a while."""
    ranges = [{"CidrIp": str(guest.range)}]
    rule = {"IpProtocol": "tcp", "FromPort": HTTPS, "ToPort": HTTPS, "IpRanges": ranges}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    try:
        yield
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])


@pytest.mark.parametrize(("one", "other", "output"), [("A", "B", "AToBId"), ("B", "C", "BToCId")])
def test_a_peering_is_active_and_every_subnet_has_its_way_there_and_back(
    ec2: Any, vpcs: dict[str, Vpc], outputs: dict[str, str], one: str, other: str, output: str
) -> None:
    [peering] = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[outputs[output]])[
        "VpcPeeringConnections"
    ]
    assert peering["Status"]["Code"] == "active"
    assert peering["RequesterVpcInfo"]["VpcId"] == vpcs[one].vpc_id
    assert peering["AccepterVpcInfo"]["VpcId"] == vpcs[other].vpc_id

    for source, destination in ((vpcs[one], vpcs[other]), (vpcs[other], vpcs[one])):
        ways = source.ways_to(destination)
        assert len(ways) == len(source.tables()) > 0
        assert {way["VpcPeeringConnectionId"] for way in ways} == {outputs[output]}
        assert {way["State"] for way in ways} == {"active"}


def test_no_two_ranges_overlap_and_nothing_leads_from_the_first_vpc_to_the_third(
    vpcs: dict[str, Vpc],
) -> None:
    assert not any(one.range.overlaps(other.range) for one, other in combinations(vpcs.values(), 2))
    assert vpcs["A"].ways_to(vpcs["C"]) == vpcs["C"].ways_to(vpcs["A"]) == []


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_no_route_leads_to_the_internet(vpcs: dict[str, Vpc], name: str) -> None:
    routes = [route for routes in vpcs[name].tables().values() for route in routes]

    assert any(route.get("GatewayId") == "local" for route in routes)
    assert not any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in routes)


@pytest.mark.parametrize(
    ("output", "service"), [("S3EndpointId", ".s3"), ("DynamoDbEndpointId", ".dynamodb")]
)
def test_a_gateway_endpoint_is_in_every_table_of_its_vpc_and_has_no_address(
    vpcs: dict[str, Vpc], vpc_endpoint: Callable[[str], Description], output: str, service: str
) -> None:
    found = vpc_endpoint(output)

    assert found["ServiceName"].endswith(service)
    assert (found["VpcEndpointType"], found["State"]) == ("Gateway", "available")
    assert set(found["RouteTableIds"]) == vpcs["A"].tables().keys()
    assert found["NetworkInterfaceIds"] == []


def test_an_interface_endpoint_has_a_private_address_in_every_subnet_and_the_public_name(
    vpcs: dict[str, Vpc],
    vpc_endpoint: Callable[[str], Description],
    interfaces: list[Description],
    outputs: dict[str, str],
) -> None:
    found = vpc_endpoint("StsEndpointId")
    assert (found["VpcEndpointType"], found["State"]) == ("Interface", "available")
    assert found["PrivateDnsEnabled"] is True

    assert {each["SubnetId"] for each in interfaces} == vpcs["A"].subnets()
    for interface in interfaces:
        assert IPv4Network(interface["PrivateIpAddress"]).subnet_of(vpcs["A"].range)
        assert "Association" not in interface, "it has a public address"
        assert [each["GroupId"] for each in interface["Groups"]] == [outputs["StsGroupId"]]


def test_the_group_of_the_endpoint_lets_in_its_vpc_and_the_peer_but_not_the_third(
    ec2: Any, vpcs: dict[str, Vpc], outputs: dict[str, str]
) -> None:
    [group] = ec2.describe_security_groups(GroupIds=[outputs["StsGroupId"]])["SecurityGroups"]
    rules = group["IpPermissions"]

    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(HTTPS, HTTPS)}
    assert {each["CidrIp"] for rule in rules for each in rule["IpRanges"]} == {
        str(vpcs[name].range) for name in "AB"
    }


def test_what_passes_an_endpoint_is_narrowed_by_a_policy_of_its_own(
    client: Client, vpc_endpoint: Callable[[str], Description], outputs: dict[str, str]
) -> None:
    def allowed(output: str) -> Description:
        [statement] = json.loads(vpc_endpoint(output)["PolicyDocument"])["Statement"]
        assert statement["Effect"] == "Allow"
        return dict(statement)

    to_s3 = allowed("S3EndpointId")
    assert to_s3["Action"] == "s3:PutObject"
    assert to_s3["Resource"] == f"arn:aws:s3:::{outputs['DocumentsName']}/{KEPT}/*"
    to_sts = allowed("StsEndpointId")
    assert to_sts["Action"] == "sts:GetCallerIdentity"
    account = client("sts").get_caller_identity()["Account"]
    assert to_sts["Condition"] == {"StringEquals": {"aws:PrincipalAccount": account}}


def test_a_function_without_internet_keeps_a_document(
    client: Client, outputs: dict[str, str], call: Callable[..., Any], key: str
) -> None:
    call("KeepDocumentName", key=key, text="not for everybody")

    listed = client("s3").list_objects_v2(Bucket=outputs["DocumentsName"], Prefix=key)
    [document] = listed["Contents"]
    assert document["Size"] == len("not for everybody")


@pytest.mark.aws_only
@pytest.mark.concept("vpc.endpoint")
def test_what_went_in_through_the_endpoint_comes_out_nowhere_else(
    client: Client, outputs: dict[str, str], call: Callable[..., Any], key: str
) -> None:
    call("KeepDocumentName", key=key, text="not for everybody")

    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").get_object(Bucket=outputs["DocumentsName"], Key=key)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.endpoint")
def test_the_endpoint_stops_what_the_functions_role_allows(call: Callable[..., Any]) -> None:
    with pytest.raises(FunctionError, match=r"AccessDenied.*VPC endpoint policy"):
        call("KeepDocumentName", key="elsewhere/1.txt", text="too far")


@pytest.mark.aws_only
@pytest.mark.concept("vpc.endpoint")
def test_a_public_name_leads_to_the_endpoint_in_its_vpc_and_nowhere_in_the_other(
    client: Client, vpcs: dict[str, Vpc], interfaces: list[Description], call: Callable[..., Any]
) -> None:
    sts = f"sts.{client('sts').meta.region_name}.amazonaws.com"

    at_home = call("ConnectFromAName", host=sts)
    assert at_home["connected"]
    assert at_home["address"] in {each["PrivateIpAddress"] for each in interfaces}

    elsewhere = call("ConnectFromBName", host=sts)
    assert not elsewhere["connected"]
    assert not IPv4Network(elsewhere["address"]).subnet_of(vpcs["A"].range)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.peering")
def test_the_peer_connects_to_a_private_address_as_long_as_both_sides_have_a_route(
    ec2: Any,
    vpcs: dict[str, Vpc],
    interfaces: list[Description],
    outputs: dict[str, str],
    call: Callable[..., Any],
    eventually: Eventually,
) -> None:
    host, peering = interfaces[0]["PrivateIpAddress"], outputs["AToBId"]
    assert call("ConnectFromBName", host=host)["connected"]

    for source, destination in (("A", "B"), ("B", "A")):
        with routes_missing(ec2, vpcs[source], vpcs[destination], peering):
            eventually(lambda: not call("ConnectFromBName", host=host)["connected"], within=60)
        eventually(lambda: call("ConnectFromBName", host=host)["connected"], within=60)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.peering")
def test_the_peers_peer_does_not_connect_even_with_routes_and_a_rule(
    ec2: Any,
    vpcs: dict[str, Vpc],
    interfaces: list[Description],
    outputs: dict[str, str],
    call: Callable[..., Any],
) -> None:
    a, c = vpcs["A"], vpcs["C"]
    with (
        routes_added(ec2, c, to=a, through=outputs["BToCId"]),
        routes_added(ec2, a, to=c, through=outputs["AToBId"]),
        let_in(ec2, outputs["StsGroupId"], c),
    ):
        for interface in interfaces:
            assert not call("ConnectFromCName", host=interface["PrivateIpAddress"])["connected"]


@pytest.mark.aws_only
@pytest.mark.concept("vpc.peering")
def test_a_vpc_with_an_overlapping_range_cannot_be_peered(
    ec2: Any, vpcs: dict[str, Vpc], eventually: Eventually
) -> None:
    a = vpcs["A"]
    twin = ec2.create_vpc(CidrBlock=str(a.range))["Vpc"]["VpcId"]
    try:
        ec2.get_waiter("vpc_available").wait(VpcIds=[twin])
        asked = ec2.create_vpc_peering_connection(VpcId=a.vpc_id, PeerVpcId=twin)
        peering = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]

        def status() -> str:
            [described] = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])[
                "VpcPeeringConnections"
            ]
            return str(described["Status"]["Code"])

        eventually(lambda: status() == "failed", within=60)
    finally:
        ec2.delete_vpc(VpcId=twin)
