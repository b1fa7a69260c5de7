"""Load balancers: which target gets a request, by what is in it, and for how long."""

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import InvalidArgumentError, acknowledge
from stacks.load_balancers.access_logs import write_access_logs
from stacks.load_balancers.classic import add_classic_load_balancer
from stacks.load_balancers.function_target import FunctionTarget
from stacks.load_balancers.gateway import add_gateway_load_balancer
from stacks.load_balancers.network import add_network_load_balancer

HANDLERS = Path(__file__).parent / "handlers"
CERTIFICATE_ARN = re.compile(r"arn:[^:]+:(acm|iam):.+")


class LoadBalancersStack(cdk.Stack):
    """An ALB that routes by path, host, query and header; network, gateway, classic on demand.

    A request enters through ``listener``, whose rules are tried in order of priority, and ends at
    one of two functions, at a server, or at the load balancer itself, which can redirect and
    answer. No server is here: ``ServersTargets`` is empty until somebody registers addresses that
    carry the security group ``Servers``, as the exercise does on AWS.

    Other stacks add an ``ApplicationListenerRule`` of their own to ``listener``, with a priority
    of 100 or more, or an ``ApplicationListener`` of their own, not open, to the load balancer:
    then nothing of theirs is written into this stack.

    Args:
        vpc: With public subnets, where the load balancers lie.
        access_logs: For how long the log of every request is kept, in days; None: not logged.
        deletion_protection: Refuse to delete the application load balancer.
        removal_policy: Of the access logs.
        log_retention: Of the functions' logs.
        certificate: Of the host name that clients use. With it ``listener`` speaks HTTPS, and
            HTTP/2, and what asks over HTTP is redirected to it; without it everything is HTTP.
        network: Have a network load balancer too: TCP, UDP and, with a certificate, TLS.
        gateway: Have a gateway load balancer too, and an endpoint that leads to it.
        classic: Have a classic load balancer too, to see what there is to migrate from.
    """

    application_load_balancer: elbv2.ApplicationLoadBalancer
    listener: elbv2.ApplicationListener

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        access_logs: cdk.Duration | None,
        deletion_protection: bool,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        certificate: elbv2.IListenerCertificate | None = None,
        network: bool = False,
        gateway: bool = False,
        classic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        if certificate:
            _refuse_other_arns(certificate.certificate_arn)

        self.application_load_balancer = elbv2.ApplicationLoadBalancer(
            self,
            "Application",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            internet_facing=True,
            http2_enabled=True,
            drop_invalid_header_fields=True,
            deletion_protection=deletion_protection,
        )
        acknowledge(
            self.application_load_balancer.connections.security_groups[0],
            "AwsSolutions::AwsSolutions-EC23",
            reason="It is the entrance for everybody; what it forwards to is closed to all others.",
        )
        if access_logs:
            write_access_logs(self.application_load_balancer, access_logs, removal_policy)
        else:
            acknowledge(
                self.application_load_balancer,
                "AwsSolutions::AwsSolutions-ELB2",
                reason="Logs need a bucket that is not empty when the stack is destroyed.",
            )

        blue = self._function("Blue", log_retention)
        green = self._function("Green", log_retention)
        servers = ec2.SecurityGroup(
            self,
            "Servers",
            vpc=vpc,
            description="Reached by the load balancers only, and reaching nobody.",
            allow_all_outbound=False,
        )
        self.application_load_balancer.connections.allow_to(servers, ec2.Port.HTTP)
        servers_targets = elbv2.ApplicationTargetGroup(
            self,
            "ServersTargets",
            vpc=vpc,
            target_type=elbv2.TargetType.IP,
            port=80,
            # From 1 second to 7 days.
            stickiness_cookie_duration=cdk.Duration.hours(1),
            # From 0 to 3,600 seconds, 300 by default: longer than the longest request takes.
            deregistration_delay=cdk.Duration.seconds(30),
            health_check=elbv2.HealthCheck(
                interval=cdk.Duration.seconds(10), healthy_threshold_count=2
            ),
        )

        self.listener = self._listen(elbv2.ListenerAction.forward([blue]), certificate)
        self._add_rules(blue, green, servers_targets)

        balancer = self.application_load_balancer
        cdk.CfnOutput(self, "LoadBalancerArn", value=balancer.load_balancer_arn)
        cdk.CfnOutput(self, "DnsName", value=balancer.load_balancer_dns_name)
        cdk.CfnOutput(self, "Protocol", value="HTTPS" if certificate else "HTTP")
        cdk.CfnOutput(self, "ServersTargetsArn", value=servers_targets.target_group_arn)
        cdk.CfnOutput(self, "ServersGroupId", value=servers.security_group_id)

        if network:
            add_network_load_balancer(self, vpc=vpc, servers=servers, certificate=certificate)
        if gateway:
            add_gateway_load_balancer(self, vpc=vpc)
        if classic:
            add_classic_load_balancer(self, vpc=vpc, servers=servers)

    def _function(
        self, name: str, log_retention: logs.RetentionDays
    ) -> elbv2.ApplicationTargetGroup:
        """A target group of one function, which is all it can hold."""
        function = PythonFunction(
            self,
            name,
            source=HANDLERS / "tell_target",
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
            environment={"TARGET": name},
        )
        return elbv2.ApplicationTargetGroup(
            self, f"{name}Targets", targets=[FunctionTarget(function)]
        )

    def _listen(
        self, default: elbv2.ListenerAction, certificate: elbv2.IListenerCertificate | None
    ) -> elbv2.ApplicationListener:
        if not certificate:
            return self.application_load_balancer.add_listener(
                "Http", port=80, default_action=default
            )
        self.application_load_balancer.add_listener(
            "Http",
            port=80,
            default_action=elbv2.ListenerAction.redirect(
                protocol="HTTPS", port="443", permanent=True
            ),
        )
        return self.application_load_balancer.add_listener(
            "Https", port=443, certificates=[certificate], default_action=default
        )

    def _add_rules(
        self,
        blue: elbv2.ApplicationTargetGroup,
        green: elbv2.ApplicationTargetGroup,
        servers: elbv2.ApplicationTargetGroup,
    ) -> None:
        """The exceptions to the listener's default, in the order in which they are tried."""
        when, then = elbv2.ListenerCondition, elbv2.ListenerAction
        rules = {
            "Old": ([when.path_patterns(["/old/*"])], then.redirect(path="/api/", permanent=True)),
            "Maintenance": (
                [when.path_patterns(["/maintenance"])],
                then.fixed_response(503, content_type="text/plain", message_body="Back soon"),
            ),
            "Api": ([when.path_patterns(["/api/*"])], then.forward([green])),
            "Admin": ([when.host_headers(["admin.example.test"])], then.forward([green])),
            "Version": (
                [when.query_strings([elbv2.QueryStringCondition(key="version", value="v2")])],
                then.forward([green]),
            ),
            # Every condition of a rule has to hold, by one of its values.
            "Preview": (
                [when.http_header("X-Preview", ["*"]), when.http_request_methods(["GET", "HEAD"])],
                then.forward([green]),
            ),
            "Release": (
                [when.path_patterns(["/release"])],
                then.weighted_forward(
                    [
                        elbv2.WeightedTargetGroup(target_group=blue, weight=90),
                        elbv2.WeightedTargetGroup(target_group=green, weight=10),
                    ],
                    stickiness_duration=cdk.Duration.minutes(1),
                ),
            ),
            "Servers": ([when.path_patterns(["/servers/*"])], then.forward([servers])),
        }
        for position, (name, (conditions, action)) in enumerate(rules.items(), start=1):
            self.listener.add_action(
                name, priority=10 * position, conditions=conditions, action=action
            )


def _refuse_other_arns(arn: str) -> None:
    if not cdk.Token.is_unresolved(arn) and not CERTIFICATE_ARN.fullmatch(arn):
        raise InvalidArgumentError(
            f"certificate '{arn}' is not one that a load balancer can present; give the ARN of a "
            "certificate of ACM, or of IAM, in the region of the stack"
        )
