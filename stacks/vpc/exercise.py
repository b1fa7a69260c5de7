"""See the network work: ``make rehearse BLUEPRINT=vpc``, or ``make exercise`` once on AWS.

On AWS it starts two small instances and a load balancer for some minutes, for a few cents, and
changes a route or a rule of the network ACL for moments.
"""

import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, Invoke
from stacks.vpc.network import ANYWHERE, TIERS, Description, Network, answers

IMAGE = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
WEB_SERVER = (
    "#!/bin/bash\ncd $(mktemp -d) && echo hello > index.html && python3 -m http.server 80\n"
)


@pytest.fixture(scope="module")
def ec2(client: Client) -> Any:
    """EC2's client."""
    return client("ec2")


@pytest.fixture(scope="module")
def network(ec2: Any, outputs: dict[str, str]) -> Network:
    """The deployed VPC."""
    return Network(ec2, outputs)


@pytest.fixture
def learn_address(invoke: Invoke, outputs: dict[str, str]) -> Callable[[], str | None]:
    """Ask, from a private subnet, by which address the internet sees who asks."""
    return lambda: invoke(outputs["LearnAddressName"])["address"]


@pytest.fixture(scope="module")
def own_address(fetch: Callable[..., Any]) -> str:
    """The address that this exercise comes from."""
    return str(fetch("https://checkip.amazonaws.com").body.strip())


@pytest.fixture(scope="module")
def web_group(ec2: Any, network: Network, own_address: str) -> Iterator[str]:
    """A security group that lets this exercise in, and nobody else."""
    group: str = ec2.create_security_group(
        GroupName=f"exercise-{uuid4().hex[:8]}",
        Description="The exercise of the vpc blueprint",
        VpcId=network.vpc_id,
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "IpRanges": [{"CidrIp": f"{own_address}/32"}],
            }
        ],
    )
    yield group
    ec2.delete_security_group(GroupId=group)


@pytest.fixture(scope="module")
def web_servers(
    ec2: Any, network: Network, web_group: str, eventually: Eventually
) -> Iterator[tuple[Description, Description]]:
    """Two alike in a public subnet, the first with a public address and the second without."""
    ids: list[str] = []
    try:
        for public in (True, False):
            launched = ec2.run_instances(
                ImageId=IMAGE,
                InstanceType="t4g.nano",
                MinCount=1,
                MaxCount=1,
                UserData=WEB_SERVER,
                MetadataOptions={"HttpTokens": "required"},
                NetworkInterfaces=[
                    {
                        "DeviceIndex": 0,
                        "SubnetId": network.subnet_ids["Public"][0],
                        "Groups": [web_group],
                        "AssociatePublicIpAddress": public,
                    }
                ],
            )
            ids.append(launched["Instances"][0]["InstanceId"])
        ec2.get_waiter("instance_running").wait(InstanceIds=ids)
        first, second = (network.instances(each)[0] for each in ids)
        eventually(lambda: answers(first["PublicIpAddress"]), within=180)
        yield first, second
    finally:
        if ids:
            ec2.terminate_instances(InstanceIds=ids)
            ec2.get_waiter("instance_terminated").wait(InstanceIds=ids)


@pytest.fixture
def balancer_in_web_group(
    client: Client, network: Network, web_group: str, eventually: Eventually
) -> Iterator[str]:
    """An internal load balancer that carries the web servers' group."""
    elb = client("elbv2")
    name = f"exercise-{uuid4().hex[:8]}"
    arn = elb.create_load_balancer(
        Name=name,
        Scheme="internal",
        Subnets=network.subnet_ids["Private"],
        SecurityGroups=[web_group],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    yield name
    elb.delete_load_balancer(LoadBalancerArn=arn)
    # Until its interfaces are gone, neither their group nor their subnets can be deleted.
    eventually(
        lambda: not any(name in each["Description"] for each in network.interfaces(web_group)),
        within=600,
    )


@pytest.mark.concept("vpc.subnet")
def test_the_subnets_share_the_vpcs_range_and_none_overlaps_another(network: Network) -> None:
    subnets = [IPv4Network(each["CidrBlock"]) for tier in TIERS for each in network.subnets(tier)]

    assert all(subnet.subnet_of(network.range()) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


@pytest.mark.concept("vpc.subnet")
def test_every_kind_of_subnet_lies_in_two_zones_one_in_each(network: Network) -> None:
    zones = {
        tier: sorted(subnet["AvailabilityZone"] for subnet in network.subnets(tier))
        for tier in TIERS
    }

    assert zones["Public"] == zones["Private"] == zones["Isolated"]
    assert len(set(zones["Public"])) == len(zones["Public"]) == 2


@pytest.mark.concept("vpc.route-tables")
def test_every_subnet_has_a_table_of_its_own_with_a_local_route_nobody_declared(
    network: Network,
) -> None:
    tables = [network.route_table(each) for tier in TIERS for each in network.subnet_ids[tier]]

    assert len({table["RouteTableId"] for table in tables}) == len(tables)
    for table in tables:
        [local] = (route for route in table["Routes"] if route.get("GatewayId") == "local")
        assert IPv4Network(local["DestinationCidrBlock"]) == network.range()
        assert local["Origin"] == "CreateRouteTable"


@pytest.mark.concept("vpc.internet-gateway")
def test_one_internet_gateway_is_attached_and_the_public_subnets_send_everything_to_it(
    ec2: Any, network: Network
) -> None:
    [gateway] = ec2.describe_internet_gateways(
        Filters=[{"Name": "attachment.vpc-id", "Values": [network.vpc_id]}]
    )["InternetGateways"]
    assert gateway["Attachments"] == [{"State": "available", "VpcId": network.vpc_id}]

    routes = network.default_routes("Public")
    assert routes.keys() == set(network.subnet_ids["Public"])
    assert {route["GatewayId"] for route in routes.values()} == {gateway["InternetGatewayId"]}


@pytest.mark.concept("vpc.private-subnet")
@pytest.mark.parametrize("tier", ["Private", "Isolated"])
def test_no_route_leads_from_an_internet_gateway_to_a_private_subnet(
    network: Network, tier: str
) -> None:
    targets = [
        route.get("GatewayId", "")
        for subnet in network.subnet_ids[tier]
        for route in network.route_table(subnet)["Routes"]
    ]

    assert "local" in targets
    assert not any(target.startswith("igw-") for target in targets)


def test_private_subnets_leave_through_the_nat_that_was_chosen_and_isolated_ones_not_at_all(
    network: Network, outputs: dict[str, str]
) -> None:
    routes = network.default_routes("Private")
    zones = {each["SubnetId"]: each["AvailabilityZone"] for each in network.subnets("Private")}
    public = {each["SubnetId"]: each["AvailabilityZone"] for each in network.subnets("Public")}

    match outputs["Nat"]:
        case "none":
            assert routes == {}
        case "gateway":
            gateways = {each["NatGatewayId"]: each for each in network.nat_gateways()}
            assert {gateway["State"] for gateway in gateways.values()} == {"available"}
            # Each in a public subnet of the zone it serves.
            assert {
                subnet: public[gateways[route["NatGatewayId"]]["SubnetId"]]
                for subnet, route in routes.items()
            } == zones
        case "regional":
            assert routes.keys() == zones.keys()
            [gateway] = network.nat_gateways()
            assert (gateway["State"], gateway["AvailabilityMode"]) == ("available", "regional")
            assert gateway["VpcId"] == network.vpc_id
        case "instance":
            assert routes.keys() == zones.keys()
            [instance] = network.nat_instances()
            assert instance["SubnetId"] in public
            assert instance["SourceDestCheck"] is False
        case other:
            pytest.fail(f"nobody has said what to expect of NAT '{other}'")
    assert network.default_routes("Isolated") == {}


def test_the_acl_of_the_public_subnets_denies_some_before_it_allows_everybody(
    network: Network,
) -> None:
    acl = network.acl("Public")
    assert {each["SubnetId"] for each in acl["Associations"]} == set(network.subnet_ids["Public"])

    ingress = sorted(
        (entry for entry in acl["Entries"] if not entry["Egress"]),
        key=lambda entry: entry["RuleNumber"],
    )
    assert [entry["RuleAction"] for entry in ingress] == ["deny", "allow", "deny"]
    unwelcome, everybody, last = (entry["CidrBlock"] for entry in ingress)
    assert IPv4Network(unwelcome).prefixlen > 0
    assert everybody == last == ANYWHERE


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_private_and_isolated_subnets_reach_it_without_the_internet(
    ec2: Any, network: Network, service: str
) -> None:
    [endpoint] = (
        each
        for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]
        if each["VpcId"] == network.vpc_id and each["ServiceName"].endswith(f".{service}")
    )
    tables = {
        network.route_table(subnet)["RouteTableId"]
        for tier in ("Private", "Isolated")
        for subnet in network.subnet_ids[tier]
    }

    assert (endpoint["VpcEndpointType"], endpoint["State"]) == ("Gateway", "available")
    assert tables <= set(endpoint["RouteTableIds"])


def test_flows_of_the_whole_vpc_are_logged_every_minute(
    ec2: Any, network: Network, outputs: dict[str, str]
) -> None:
    [flow_log] = ec2.describe_flow_logs(
        Filters=[{"Name": "resource-id", "Values": [network.vpc_id]}]
    )["FlowLogs"]

    assert flow_log["FlowLogStatus"] == "ACTIVE"
    assert flow_log["TrafficType"] == "ALL"
    assert flow_log["LogGroupName"] == outputs["FlowLogsName"]
    assert flow_log["MaxAggregationInterval"] == 60


@pytest.mark.aws_only
@pytest.mark.concept("vpc.public-subnet")
def test_a_public_subnet_makes_reachable_only_what_has_a_public_address(
    ec2: Any, web_servers: tuple[Description, Description], eventually: Eventually
) -> None:
    first, second = web_servers
    assert answers(first["PublicIpAddress"])
    assert "PublicIpAddress" not in second
    assert not answers(second["PrivateIpAddress"])

    # The address is all it lacks.
    address = ec2.allocate_address(Domain="vpc")
    try:
        association = ec2.associate_address(
            AllocationId=address["AllocationId"], InstanceId=second["InstanceId"]
        )["AssociationId"]
        eventually(lambda: answers(address["PublicIp"]), within=180)
        ec2.disassociate_address(AssociationId=association)
    finally:
        ec2.release_address(AllocationId=address["AllocationId"])


@pytest.mark.aws_only
@pytest.mark.concept("vpc.nat-gateway", "vpc.nat-instance")
def test_the_internet_sees_the_address_of_the_nat_and_can_connect_to_nothing_behind_it(
    network: Network, outputs: dict[str, str], learn_address: Callable[[], str | None]
) -> None:
    nat = network.nat_addresses()
    assert bool(nat) is (outputs["Nat"] != "none")
    assert learn_address() in (nat if nat else [None])

    interfaces = network.interfaces(outputs["LearnAddressGroupId"])
    assert interfaces
    assert not any("Association" in each for each in interfaces), "one has a public address"
    assert not any(answers(address, port) for address in nat for port in (22, 80, 443))


@pytest.mark.aws_only
@pytest.mark.concept("vpc.nat-instance")
def test_without_its_nat_a_private_function_is_cut_off(
    network: Network,
    outputs: dict[str, str],
    learn_address: Callable[[], str | None],
    eventually: Eventually,
) -> None:
    with network.nat_instances_stopped(), network.nat_gateways_bypassed():
        eventually(lambda: learn_address() is None, within=120)
    connected = outputs["Nat"] != "none"
    eventually(lambda: bool(learn_address()) is connected, within=180)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.nacl")
def test_the_acl_keeps_out_whom_the_security_group_would_let_in(
    network: Network,
    web_servers: tuple[Description, Description],
    own_address: str,
    eventually: Eventually,
) -> None:
    server = web_servers[0]["PublicIpAddress"]
    acl = network.acl("Public")
    [deny] = (
        entry
        for entry in acl["Entries"]
        if entry["RuleAction"] == "deny" and entry["CidrBlock"] != ANYWHERE
    )

    with network.changed(acl, deny, CidrBlock=f"{own_address}/32"):
        eventually(lambda: not answers(server), within=60)
    eventually(lambda: answers(server), within=60)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.nacl")
def test_the_acl_has_no_memory_so_answers_need_a_rule_of_their_own(
    network: Network,
    web_servers: tuple[Description, Description],
    eventually: Eventually,
) -> None:
    server = web_servers[0]["PublicIpAddress"]
    acl = network.acl("Public")
    [ephemeral] = (
        entry
        for entry in acl["Entries"]
        if entry["Egress"] and entry["Protocol"] == "6" and entry["PortRange"]["From"] == 1024
    )

    with network.changed(acl, ephemeral, RuleAction="deny"):
        eventually(lambda: not answers(server), within=60)
    eventually(lambda: answers(server), within=60)


@pytest.mark.aws_only
@pytest.mark.concept("vpc.security-group-eni")
def test_a_security_group_is_carried_by_network_interfaces_whoever_owns_them(
    network: Network,
    outputs: dict[str, str],
    web_servers: tuple[Description, Description],
    web_group: str,
    balancer_in_web_group: str,
    eventually: Eventually,
) -> None:
    of_function = network.interfaces(outputs["LearnAddressGroupId"])
    assert {each["InterfaceType"] for each in of_function} == {"lambda"}

    def carriers() -> tuple[set[str], set[str]]:
        carrying = network.interfaces(web_group)
        instances = {each.get("Attachment", {}).get("InstanceId", "") for each in carrying}
        return instances, {each["Description"] for each in carrying}

    eventually(lambda: any(balancer_in_web_group in each for each in carriers()[1]), within=300)
    assert {server["InstanceId"] for server in web_servers} <= carriers()[0]


@pytest.mark.aws_only
def test_what_nobody_lets_in_is_in_the_flow_logs_as_rejected(
    client: Client,
    outputs: dict[str, str],
    web_servers: tuple[Description, Description],
    own_address: str,
    eventually: Eventually,
) -> None:
    server = web_servers[0]
    began = int(time.time() * 1000)
    assert not answers(server["PublicIpAddress"], 8080)

    # The fields of a record: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    pattern = (
        f'[version, account, interface, source="{own_address}", '
        f'destination="{server["PrivateIpAddress"]}", from, port="8080", protocol, packets, bytes, '
        'start, end, action="REJECT", status]'
    )
    eventually(
        lambda: client("logs").filter_log_events(
            logGroupName=outputs["FlowLogsName"], startTime=began, filterPattern=pattern
        )["events"],
        within=900,
    )
