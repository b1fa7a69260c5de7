"""The deployed network, as EC2 describes it and as the exercise disturbs it."""

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

ANYWHERE = "0.0.0.0/0"
TIERS = ("Public", "Private", "Isolated")

Description = dict[str, Any]


class Network:
    """What EC2 says of the deployed VPC, and what can be changed of it for a while."""

    def __init__(self, ec2: Any, outputs: dict[str, str]) -> None:
        """Know the VPC and its subnets by the stack's outputs."""
        self.ec2 = ec2
        self.vpc_id = outputs["VpcId"]
        self.subnet_ids = {tier: outputs[f"{tier}SubnetIds"].split(",") for tier in TIERS}

    def range(self) -> IPv4Network:
        """The VPC's."""
        [vpc] = self.ec2.describe_vpcs(VpcIds=[self.vpc_id])["Vpcs"]
        return IPv4Network(vpc["CidrBlock"])

    def subnets(self, tier: str) -> list[Description]:
        """The subnets of a kind, in no particular order."""
        described: list[Description] = self.ec2.describe_subnets(SubnetIds=self.subnet_ids[tier])[
            "Subnets"
        ]
        return described

    def route_table(self, subnet_id: str) -> Description:
        """The one that a subnet is associated with; not the VPC's main table."""
        [table] = self._described("route_tables", "RouteTables", "association.subnet-id", subnet_id)
        return table

    def default_routes(self, tier: str) -> dict[str, Description]:
        """Where the subnets of a kind send what is for nobody else, by subnet."""
        return {
            subnet_id: route
            for subnet_id in self.subnet_ids[tier]
            for route in self.route_table(subnet_id)["Routes"]
            if route.get("DestinationCidrBlock") == ANYWHERE
        }

    def nat_gateways(self) -> list[Description]:
        """Those that the private subnets send everything to."""
        ids = self._targets("NatGatewayId")
        described: list[Description] = (
            self.ec2.describe_nat_gateways(NatGatewayIds=ids)["NatGateways"] if ids else []
        )
        return described

    def nat_instances(self) -> list[Description]:
        """Those that the private subnets send everything to."""
        return self.instances(*self._targets("InstanceId"))

    def nat_addresses(self) -> list[str]:
        """The public addresses of whatever is the NAT."""
        return [instance["PublicIpAddress"] for instance in self.nat_instances()] + [
            address["PublicIp"]
            for gateway in self.nat_gateways()
            for address in gateway["NatGatewayAddresses"]
        ]

    def acl(self, tier: str) -> Description:
        """The network ACL that guards all subnets of a kind."""
        [acl] = (
            acl
            for acl in self._described("network_acls", "NetworkAcls", "vpc-id", self.vpc_id)
            if {association["SubnetId"] for association in acl["Associations"]}
            >= set(self.subnet_ids[tier])
        )
        return acl

    def interfaces(self, group_id: str) -> list[Description]:
        """The network interfaces that carry a security group."""
        return self._described("network_interfaces", "NetworkInterfaces", "group-id", group_id)

    def instances(self, *ids: str) -> list[Description]:
        """Instances by their ids."""
        answer = self.ec2.describe_instances(InstanceIds=list(ids)) if ids else {"Reservations": []}
        return [each for reserved in answer["Reservations"] for each in reserved["Instances"]]

    @contextlib.contextmanager
    def changed(self, acl: Description, entry: Description, **changes: str) -> Iterator[None]:
        """An entry of a network ACL is another one for a while."""
        replace = self.ec2.replace_network_acl_entry
        replace(NetworkAclId=acl["NetworkAclId"], **(entry | changes))
        try:
            yield
        finally:
            replace(NetworkAclId=acl["NetworkAclId"], **entry)

    @contextlib.contextmanager
    def nat_instances_stopped(self) -> Iterator[None]:
        """Nothing, with another NAT or none."""
        if not (ids := self._targets("InstanceId")):
            yield
            return
        self.ec2.stop_instances(InstanceIds=ids)
        try:
            self.ec2.get_waiter("instance_stopped").wait(InstanceIds=ids)
            yield
        finally:
            self.ec2.start_instances(InstanceIds=ids)
            self.ec2.get_waiter("instance_running").wait(InstanceIds=ids)

    @contextlib.contextmanager
    def nat_gateways_bypassed(self) -> Iterator[None]:
        """No route leads to them. Nothing, with another NAT or none."""
        routes = {
            self.route_table(subnet_id)["RouteTableId"]: route["NatGatewayId"]
            for subnet_id, route in self.default_routes("Private").items()
            if "NatGatewayId" in route
        }
        default = {"DestinationCidrBlock": ANYWHERE}
        try:
            for table in routes:
                self.ec2.delete_route(RouteTableId=table, **default)
            yield
        finally:
            for table, gateway in routes.items():
                self.ec2.create_route(RouteTableId=table, NatGatewayId=gateway, **default)

    def _targets(self, kind: str) -> list[str]:
        routes = self.default_routes("Private").values()
        return sorted({route[kind] for route in routes if kind in route})

    def _described(self, things: str, key: str, name: str, value: str) -> list[Description]:
        describe = getattr(self.ec2, f"describe_{things}")
        described: list[Description] = describe(Filters=[{"Name": name, "Values": [value]}])[key]
        return described


def answers(address: str, port: int = 80) -> bool:
    """Whether somebody accepts a TCP connection there, within five seconds."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5):
        return True
    return False
