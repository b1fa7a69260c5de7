"""The choices of NAT: what the CDK makes of each, and what it leaves to be done."""

from aws_cdk import aws_ec2 as ec2
from constructs import IDependable

from patterns.validations import acknowledge
from stacks.profile import Nat


def nat_provider(nat: Nat) -> ec2.NatProvider | None:
    """What the CDK is to put where private subnets leave the VPC; None: nothing."""
    match nat:
        case Nat.NONE:
            return None
        case Nat.GATEWAY:
            return ec2.NatProvider.gateway()
        case Nat.REGIONAL:
            return ec2.NatProvider.regional_gateway()
        case Nat.INSTANCE:
            return ec2.NatProvider.instance_v2(
                instance_type=ec2.InstanceType("t4g.nano"),
                # Beyond its share of the processor it slows down instead of costing more.
                credit_specification=ec2.CpuCredits.STANDARD,
                associate_public_ip_address=True,
                default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
            )


def nat_gateways(nat: Nat) -> int | None:
    """How many; None: as many as it takes, a gateway in each zone or a regional one for all."""
    return {Nat.NONE: 0, Nat.INSTANCE: 1}.get(nat)


def complete_nat(provider: ec2.NatProvider | None, vpc: ec2.Vpc, public_acl: IDependable) -> None:
    """Do what the CDK leaves undone.

    Args:
        provider: As the VPC was made with.
        vpc: Where the NAT is.
        public_acl: What guards the public subnets.
    """
    if isinstance(provider, ec2.RegionalNatGatewayProvider):
        # The CDK waits for the internet gateway to be there, AWS wants it attached.
        attachment = vpc.node.find_child("VPCGW")
        vpc.node.find_child("RegionalNatGateway").node.add_dependency(attachment)
    elif isinstance(provider, ec2.NatInstanceProviderV2):
        for subnet in vpc.private_subnets:
            provider.security_group.add_ingress_rule(
                ec2.Peer.ipv4(subnet.ipv4_cidr_block),
                ec2.Port.all_traffic(),
                "What a private subnet sends to the internet",
            )
        for instance in provider.gateway_instances:
            # It installs packages when it starts: a network ACL that is not complete yet denies
            # everything.
            instance.instance.node.add_dependency(public_acl)
            _harden(instance)


def _harden(instance: ec2.Instance) -> None:
    # The provider passes neither on.
    instance.instance.metadata_options = ec2.CfnInstance.MetadataOptionsProperty(
        http_tokens="required"
    )
    instance.instance.block_device_mappings = [
        ec2.CfnInstance.BlockDeviceMappingProperty(
            device_name="/dev/xvda", ebs=ec2.CfnInstance.EbsProperty(encrypted=True)
        )
    ]
    acknowledge(
        instance,
        "AwsSolutions::AwsSolutions-EC28",
        reason="Metrics every minute cost more than half of what the instance does.",
    )
    acknowledge(
        instance,
        "AwsSolutions::AwsSolutions-EC29",
        reason="It has no state and may go with its stack; whoever relies on NAT takes a gateway.",
    )
