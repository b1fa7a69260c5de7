"""A gateway load balancer: appliances of somebody else's, in the path of every packet."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from patterns.validations import acknowledge

# The port of GENEVE, which is what gateway load balancers speak with appliances: RFC 8926.
GENEVE = 6081


def add_gateway_load_balancer(scope: Construct, *, vpc: ec2.IVpc) -> None:
    """Make the way to a fleet of appliances, which is empty, and an endpoint that leads there.

    No route leads to the endpoint: what is sent to a fleet of nobody is lost. Register appliances
    with ``Appliances`` first, then name the endpoint in a route table. The CDK has no L2 for it.

    Args:
        scope: Parent of everything.
        vpc: Of the appliances, in its private subnets, and of the endpoint, in an isolated one.
    """
    balancer = elbv2.CfnLoadBalancer(
        scope,
        "Gateway",
        type="gateway",
        subnets=[subnet.subnet_id for subnet in vpc.private_subnets],
    )
    acknowledge(
        balancer,
        "AwsSolutions::AwsSolutions-ELB2",
        reason="Gateway load balancers have no access logs; flow logs show what they forward.",
    )
    appliances = elbv2.CfnTargetGroup(
        scope,
        "Appliances",
        vpc_id=vpc.vpc_id,
        protocol="GENEVE",
        port=GENEVE,
        target_type="instance",
        health_check_protocol="TCP",
        health_check_port="80",
    )
    elbv2.CfnListener(
        scope,
        "GatewayListener",
        load_balancer_arn=balancer.ref,
        default_actions=[
            elbv2.CfnListener.ActionProperty(type="forward", target_group_arn=appliances.ref)
        ],
    )
    service = ec2.CfnVPCEndpointService(
        scope,
        "Inspection",
        gateway_load_balancer_arns=[balancer.ref],
        acceptance_required=False,
    )
    region = cdk.Stack.of(scope).region
    ec2.CfnVPCEndpoint(
        scope,
        "InspectionEndpoint",
        vpc_id=vpc.vpc_id,
        vpc_endpoint_type="GatewayLoadBalancer",
        service_name=f"com.amazonaws.vpce.{region}.{service.attr_service_id}",
        # An endpoint lies in one subnet; every zone wants one of its own.
        subnet_ids=[vpc.isolated_subnets[0].subnet_id],
    )
