"""Auto Scaling: a group of servers behind a load balancer, and what changes its size."""

import re
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.ec2 import acknowledge_systems_manager, current_amazon_linux
from patterns.validations import InvalidArgumentError, acknowledge
from stacks.auto_scaling.policies import (
    add_in_steps,
    add_simply,
    forecast,
    prepare_for_friday,
    track_cpu,
)
from stacks.profile import Fleet, Nat

# Above 1023, the server needs no privilege to listen.
PORT = 8080
TIME_ZONE = re.compile(r"[A-Z]\w+(/[A-Z][\w+-]+)+")


class AutoScalingStack(cdk.Stack):
    """A group of servers behind a load balancer, with every kind of scaling policy.

    A request enters through a listener on port 8080, and ends at one of the instances that the
    group has registered with its target group. An instance that does not answer the load balancer's
    health checks is replaced. A changed launch template, and a newer image counts as that,
    refreshes the instances one after another.

    With a minimum of 0 the group ends its last server after a quarter of an hour without work, and
    no policy here starts one from nothing before Friday: servers that are not there have no
    metrics.

    Args:
        vpc: Where the servers are.
        nat: How its private subnets reach the internet, and so Systems Manager, which runs commands
            on servers. With ``Nat.NONE`` they are in the public ones and have addresses; nobody can
            connect to them there either.
        load_balancer: Gets a listener on port 8080, and a rule of its security group with it.
        fleet: How many servers there are.
        time_zone: Of the schedule: a canonical name of IANA's, like Europe/Berlin.

    Raises:
        InvalidArgumentError: If ``fleet`` contradicts itself, or ``time_zone`` cannot be one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        nat: Nat,
        load_balancer: elbv2.ApplicationLoadBalancer,
        fleet: Fleet,
        time_zone: str = "Etc/UTC",
        **kwargs: Any,
    ) -> None:
        _refuse_what_cannot_scale(fleet, time_zone)
        super().__init__(scope, construct_id, **kwargs)

        targets = elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=vpc,
            target_type=elbv2.TargetType.INSTANCE,
            protocol=elbv2.ApplicationProtocol.HTTP,
            port=PORT,
            deregistration_delay=cdk.Duration.seconds(10),
            health_check=elbv2.HealthCheck(
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        )
        self._listen(load_balancer, targets)

        group = self._group(vpc, nat, fleet)
        group.attach_to_application_target_group(targets)

        track_cpu(group)
        many_requests = add_in_steps(group, targets)
        by_latency = add_simply(group, targets)
        by_forecast = forecast(group)
        prepare_for_friday(
            group, busy=fleet.friday_minimum, usual=fleet.minimum, time_zone=time_zone
        )

        cdk.CfnOutput(self, "Url", value=f"http://{load_balancer.load_balancer_dns_name}:{PORT}/")
        cdk.CfnOutput(self, "GroupName", value=group.auto_scaling_group_name)
        cdk.CfnOutput(self, "TargetsArn", value=targets.target_group_arn)
        cdk.CfnOutput(self, "ManyRequestsName", value=many_requests.alarm_name)
        cdk.CfnOutput(self, "ByLatencyName", value=by_latency.attr_policy_name)
        cdk.CfnOutput(self, "ByForecastName", value=by_forecast.attr_policy_name)
        cdk.CfnOutput(self, "TimeZone", value=time_zone)

    def _listen(
        self, load_balancer: elbv2.ApplicationLoadBalancer, targets: elbv2.ApplicationTargetGroup
    ) -> None:
        """On a port of its own, which a rule opens that belongs to this stack."""
        elbv2.ApplicationListener(
            self,
            "Listener",
            load_balancer=load_balancer,
            protocol=elbv2.ApplicationProtocol.HTTP,
            port=PORT,
            open=False,
            default_target_groups=[targets],
        )
        [entrance] = load_balancer.connections.security_groups
        door = ec2.CfnSecurityGroupIngress(
            self,
            "Door",
            group_id=entrance.security_group_id,
            description="To the listener",
            cidr_ip="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
        )
        acknowledge(
            door,
            "AwsSolutions::AwsSolutions-EC23",
            reason="It is the entrance for everybody; servers let in the load balancer only.",
        )

    def _group(self, vpc: ec2.IVpc, nat: Nat, fleet: Fleet) -> autoscaling.AutoScalingGroup:
        servers = ec2.SecurityGroup(
            self,
            "ServersGroup",
            vpc=vpc,
            description="Only the load balancer connects to servers. They speak HTTPS only.",
            allow_all_outbound=False,
        )
        servers.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To Systems Manager")
        instance_type = ec2.InstanceType("t4g.nano")
        template = ec2.LaunchTemplate(
            self,
            "Server",
            instance_type=instance_type,
            machine_image=current_amazon_linux(instance_type),
            user_data=_web_server(),
            security_group=servers,
            role=self._role(),
            # With standard credits one of its size is held to 5 %, and would never be too busy.
            cpu_credits=ec2.CpuCredits.UNLIMITED,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        8, volume_type=ec2.EbsDeviceVolumeType.GP3, encrypted=True
                    ),
                )
            ],
            require_imdsv2=True,
            http_put_response_hop_limit=1,
        )
        group = autoscaling.AutoScalingGroup(
            self,
            "Servers",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=nat.subnet_type),
            launch_template=template,
            min_capacity=fleet.minimum,
            max_capacity=fleet.maximum,
            cooldown=cdk.Duration.minutes(1),
            default_instance_warmup=cdk.Duration.minutes(1),
            health_checks=autoscaling.HealthChecks.with_additional_checks(
                additional_types=[autoscaling.AdditionalHealthCheckType.ELB],
                grace_period=cdk.Duration.minutes(2),
            ),
            update_policy=autoscaling.UpdatePolicy.instance_refresh(
                strategy=autoscaling.InstanceRefreshStrategy.ROLLING,
                min_healthy_percentage=50,
            ),
        )
        resource = group.node.find_child("ASG")
        assert isinstance(resource, autoscaling.CfnAutoScalingGroup)
        # The L2 would warn that every deployment resets it, which its own update policy prevents.
        resource.desired_capacity = str(fleet.desired)
        acknowledge(
            resource,
            "AwsSolutions::AwsSolutions-AS3",
            reason="Nobody is told of it; its scaling activities keep what happened, and why.",
        )
        return group

    def _role(self) -> iam.Role:
        role = iam.Role(
            self,
            "ServerRole",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSSMManagedInstanceCore")
            ],
        )
        acknowledge_systems_manager(role)
        return role


def _web_server() -> ec2.UserData:
    """Serve the instance's id by what the image has: nothing has to be fetched."""
    script = ec2.UserData.for_linux()
    script.add_commands(
        "set -o errexit",
        "mkdir /srv/www",
        "cloud-init query instance_id > /srv/www/index.html",
        "systemd-run --unit=web --property=DynamicUser=yes --working-directory=/srv/www"
        f" python3 -m http.server {PORT}",
    )
    return script


def _refuse_what_cannot_scale(fleet: Fleet, time_zone: str) -> None:
    if not 0 <= fleet.minimum <= fleet.desired <= fleet.maximum:
        raise InvalidArgumentError(
            f"fleet has a minimum of {fleet.minimum}, {fleet.desired} desired and a maximum of "
            f"{fleet.maximum}; give sizes in that order, from 0"
        )
    if not fleet.minimum <= fleet.friday_minimum <= fleet.maximum:
        raise InvalidArgumentError(
            f"fleet has a Friday minimum of {fleet.friday_minimum}, which is not between its "
            f"minimum of {fleet.minimum} and its maximum of {fleet.maximum}; change one of them"
        )
    if not TIME_ZONE.fullmatch(time_zone):
        raise InvalidArgumentError(
            f"time_zone '{time_zone}' is no name of IANA's; give one like Europe/Berlin or Etc/UTC"
        )
