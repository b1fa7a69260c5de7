"""A classic load balancer: what there was before, and what there is to migrate from."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancing as elb
from constructs import Construct

from patterns.validations import acknowledge


def add_classic_load_balancer(
    scope: Construct, *, vpc: ec2.IVpc, servers: ec2.ISecurityGroup
) -> None:
    """Forward everything on port 80 to registered instances: there are no rules to choose by.

    Args:
        scope: Parent of ``Classic``.
        vpc: With public subnets, where it lies.
        servers: The security group that its instances carry.
    """
    balancer = elb.LoadBalancer(
        scope,
        "Classic",
        vpc=vpc,
        subnet_selection=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        internet_facing=True,
        cross_zone=True,
        listeners=[elb.LoadBalancerListener(external_port=80)],
        health_check=elb.HealthCheck(port=80, protocol=elb.LoadBalancingProtocol.HTTP, path="/"),
    )
    balancer.connections.allow_to(servers, ec2.Port.HTTP)

    # The CDK has no arguments for either of these.
    resource = balancer.node.default_child
    assert isinstance(resource, elb.CfnLoadBalancer)
    resource.connection_draining_policy = elb.CfnLoadBalancer.ConnectionDrainingPolicyProperty(
        enabled=True, timeout=30
    )
    resource.lb_cookie_stickiness_policy = [
        elb.CfnLoadBalancer.LBCookieStickinessPolicyProperty(
            policy_name="OneHour", cookie_expiration_period="3600"
        )
    ]
    resource.add_property_override("Listeners.0.PolicyNames", ["OneHour"])

    reason = "Off unless somebody asks to see what they would migrate from."
    acknowledge(
        balancer,
        "AwsSolutions::AwsSolutions-ELB1",
        "AwsSolutions::AwsSolutions-ELB2",
        reason=reason,
    )
    acknowledge(
        balancer.connections.security_groups[0], "AwsSolutions::AwsSolutions-EC23", reason=reason
    )
