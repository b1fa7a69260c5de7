"""Two VPCs joined, and the address ranges with which that works."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from itertools import combinations

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from patterns.validations import InvalidArgumentError


class Peering(Construct):
    """A peering connection with routes both ways, in the tables of all isolated subnets.

    Who may use the routes is up to the security groups of either side. CloudFormation accepts the
    request where both VPCs are of the stack's account and Region, and cannot switch on that each
    side resolves the other's names to private addresses.

    Args:
        requester: One of the VPCs.
        accepter: The other. Its range must not overlap.
    """

    connection_id: str

    def __init__(
        self, scope: Construct, construct_id: str, *, requester: ec2.IVpc, accepter: ec2.IVpc
    ) -> None:
        super().__init__(scope, construct_id)

        connection = ec2.CfnVPCPeeringConnection(
            self, "Connection", vpc_id=requester.vpc_id, peer_vpc_id=accepter.vpc_id
        )
        self.connection_id = connection.attr_id
        for name, source, destination in (
            ("There", requester, accepter),
            ("Back", accepter, requester),
        ):
            for number, subnet in enumerate(source.isolated_subnets, start=1):
                ec2.CfnRoute(
                    self,
                    f"{name}{number}",
                    route_table_id=subnet.route_table.route_table_id,
                    destination_cidr_block=destination.vpc_cidr_block,
                    vpc_peering_connection_id=self.connection_id,
                )


def refuse_unpeerable(cidrs: Sequence[str]) -> None:
    """Check the ranges of VPCs that are to be peered.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html

    Args:
        cidrs: IPv4 ranges.

    Raises:
        InvalidArgumentError: If one is no range for a VPC, or two of them overlap.
    """
    for one, other in combinations([_vpc_range(cidr) for cidr in cidrs], 2):
        if one.overlaps(other):
            raise InvalidArgumentError(
                f"vpc-connectivity: the ranges {one} and {other} overlap, and such VPCs cannot be "
                "peered; give each VPC a range of its own"
            )


def _vpc_range(cidr: str) -> IPv4Network:
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidArgumentError(
            f"vpc-connectivity: '{cidr}' is not an IPv4 range ({error}); give one like 10.1.0.0/24"
        ) from None
    if network.is_loopback or network.is_link_local or network.is_multicast:
        raise InvalidArgumentError(
            f"vpc-connectivity: the range {cidr} is one that EC2 keeps from VPCs; give one like "
            "10.1.0.0/24"
        )
    if not 16 <= network.prefixlen <= 24:
        raise InvalidArgumentError(
            f"vpc-connectivity: the range {cidr} has the wrong size for a VPC with a subnet in "
            "every zone; give /16 to /24"
        )
    return network
