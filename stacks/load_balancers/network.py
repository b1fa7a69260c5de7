"""A network load balancer: connections and datagrams, whatever is said in them."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from patterns.validations import acknowledge

ECHO = 7
TCP, TLS, UDP = 5007, 5008, 5009


def add_network_load_balancer(
    scope: Construct,
    *,
    vpc: ec2.IVpc,
    servers: ec2.ISecurityGroup,
    certificate: elbv2.IListenerCertificate | None,
) -> None:
    """Forward TCP, UDP and, with a certificate, TLS to the echo ports of ``servers``.

    Args:
        scope: Parent of the load balancer, ``Network``, and of its target groups.
        vpc: With public subnets; the load balancer has one static address in each.
        servers: The security group that targets carry.
        certificate: Of the host name that clients of TLS use.
    """
    balancer = elbv2.NetworkLoadBalancer(
        scope,
        "Network",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        internet_facing=True,
    )
    acknowledge(
        balancer.connections.security_groups[0],
        "AwsSolutions::AwsSolutions-EC23",
        reason="It is the entrance for everybody; what it forwards to is closed to all others.",
    )
    acknowledge(
        balancer,
        "AwsSolutions::AwsSolutions-ELB2",
        reason="A network load balancer logs TLS requests only, and is here to be looked at.",
    )
    health_check = elbv2.HealthCheck(protocol=elbv2.Protocol.TCP)
    connections = elbv2.NetworkTargetGroup(
        scope,
        "TcpTargets",
        vpc=vpc,
        target_type=elbv2.TargetType.IP,
        protocol=elbv2.Protocol.TCP,
        port=ECHO,
        # It is for datagrams anyway, and not for connections to addresses.
        preserve_client_ip=True,
        health_check=health_check,
    )
    datagrams = elbv2.NetworkTargetGroup(
        scope,
        "UdpTargets",
        vpc=vpc,
        target_type=elbv2.TargetType.IP,
        protocol=elbv2.Protocol.UDP,
        port=ECHO,
        # Nothing can be told from a datagram that is not answered.
        health_check=health_check,
    )

    balancer.add_listener(
        "Tcp", port=TCP, protocol=elbv2.Protocol.TCP, default_target_groups=[connections]
    )
    balancer.add_listener(
        "Udp", port=UDP, protocol=elbv2.Protocol.UDP, default_target_groups=[datagrams]
    )
    doors = [ec2.Port.tcp(TCP), ec2.Port.udp(UDP)]
    if certificate:
        balancer.add_listener(
            "Tls",
            port=TLS,
            protocol=elbv2.Protocol.TLS,
            certificates=[certificate],
            default_target_groups=[connections],
        )
        doors.append(ec2.Port.tcp(TLS))
    # Its security group lets nobody in and nothing out, whatever listeners and targets there are.
    for door in doors:
        balancer.connections.allow_from_any_ipv4(door)
    for echo in (ec2.Port.tcp(ECHO), ec2.Port.udp(ECHO)):
        balancer.connections.allow_to(servers, echo)

    cdk.CfnOutput(scope, "NetworkDnsName", value=balancer.load_balancer_dns_name)
    for name, port, targets in (("Tcp", TCP, connections), ("Udp", UDP, datagrams)):
        cdk.CfnOutput(scope, f"{name}Port", value=str(port))
        cdk.CfnOutput(scope, f"{name}TargetsArn", value=targets.target_group_arn)
