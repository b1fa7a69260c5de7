"""VPC: subnets of three kinds, the ways between them and out, and what guards each step."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge
from stacks.profile import Nat
from stacks.vpc.nat import complete_nat, nat_gateways, nat_provider

HANDLERS = Path(__file__).parent / "handlers"
# RFC 5737 keeps this range for documentation: put in whom you want to keep out.
UNWELCOME = "192.0.2.0/24"


class VpcStack(cdk.Stack):
    """Public, private and isolated subnets, four ways out of them, a NACL, groups and flow logs.

    A packet from the internet passes the internet gateway, the network ACL of the public subnets
    and a security group. A packet of ``LearnAddress``, in the private subnets, passes its security
    group and then whatever is chosen for NAT; with ``Nat.NONE`` it gets no further than S3 and
    DynamoDB, like one of the isolated subnets under any choice. Every packet is logged.

    The VPC's default security group stays open among its members, as AWS makes it: the CDK would
    close it with a function of its own, which leaves a log group behind. Use none but your own.

    Args:
        cidr: The VPC's IPv4 range, /16 to /24. The subnets share it equally.
        availability_zones: How many of each kind of subnet there are.
        nat: How private subnets reach the internet.
        removal_policy: Of the flow logs.
        log_retention: Of the flow logs and the function's logs.
    """

    vpc: ec2.Vpc

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cidr: str,
        availability_zones: int,
        nat: Nat,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        provider = nat_provider(nat)
        self.vpc = ec2.Vpc(
            self,
            "Network",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            max_azs=availability_zones,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
                ec2.SubnetConfiguration(
                    name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
                ),
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                ),
            ],
            nat_gateway_provider=provider,
            nat_gateways=nat_gateways(nat),
            restrict_default_security_group=False,
        )
        public_acl = self._guard_public_subnets(cidr)
        complete_nat(provider, self.vpc, public_acl)

        learn_address_group = ec2.SecurityGroup(
            self,
            "LearnAddressGroup",
            vpc=self.vpc,
            description="Nobody reaches LearnAddress over the network. It speaks HTTPS only.",
            allow_all_outbound=False,
        )
        learn_address_group.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To the service that tells our address"
        )
        learn_address = PythonFunction(
            self,
            "LearnAddress",
            source=HANDLERS / "learn_address",
            timeout=cdk.Duration.seconds(30),
            log_retention=log_retention,
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[learn_address_group],
        )

        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)

        flow_logs = self._log_flows(removal_policy, log_retention)

        cdk.CfnOutput(self, "VpcId", value=self.vpc.vpc_id)
        for kind, subnets in {
            "Public": self.vpc.public_subnets,
            "Private": self.vpc.private_subnets,
            "Isolated": self.vpc.isolated_subnets,
        }.items():
            ids = [subnet.subnet_id for subnet in subnets]
            cdk.CfnOutput(self, f"{kind}SubnetIds", value=cdk.Fn.join(",", ids))
        cdk.CfnOutput(self, "Nat", value=nat)
        cdk.CfnOutput(self, "LearnAddressName", value=learn_address.function_name)
        cdk.CfnOutput(self, "LearnAddressGroupId", value=learn_address_group.security_group_id)
        cdk.CfnOutput(self, "FlowLogsName", value=flow_logs.log_group_name)

    def _guard_public_subnets(self, cidr: str) -> ec2.NetworkAcl:
        """Rules without memory: answers need one of their own. The lowest number that fits wins."""
        acl = ec2.NetworkAcl(
            self,
            "PublicAcl",
            vpc=self.vpc,
            subnet_selection=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        )
        acknowledge(
            acl,
            "AwsSolutions::AwsSolutions-VPC3",
            reason="To be used sparingly, as the rule says; this one shows how it works.",
        )
        everybody, inside = ec2.AclCidr.any_ipv4(), ec2.AclCidr.ipv4(cidr)
        anything = ec2.AclTraffic.all_traffic()

        ingress = ec2.TrafficDirection.INGRESS
        acl.add_entry(
            "KeepOut",
            direction=ingress,
            rule_number=90,
            rule_action=ec2.Action.DENY,
            cidr=ec2.AclCidr.ipv4(UNWELCOME),
            traffic=anything,
        )
        acl.add_entry("LetIn", direction=ingress, rule_number=100, cidr=everybody, traffic=anything)

        # Clients wait for answers on ports in this range:
        # https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html
        ephemeral = 1024, 65535
        for name, rule_number, peer, traffic in (
            ("AnswerTcp", 100, everybody, ec2.AclTraffic.tcp_port_range(*ephemeral)),
            ("AnswerUdp", 110, everybody, ec2.AclTraffic.udp_port_range(*ephemeral)),
            ("AskHttps", 120, everybody, ec2.AclTraffic.tcp_port(443)),
            ("SpeakInside", 130, inside, anything),
        ):
            acl.add_entry(
                name,
                direction=ec2.TrafficDirection.EGRESS,
                rule_number=rule_number,
                cidr=peer,
                traffic=traffic,
            )
        return acl

    def _log_flows(
        self, removal_policy: cdk.RemovalPolicy, log_retention: logs.RetentionDays
    ) -> logs.LogGroup:
        log_group = logs.LogGroup(
            self, "FlowLogs", retention=log_retention, removal_policy=removal_policy
        )
        role = iam.Role(
            self,
            "FlowLogsRole",
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
        )
        self.vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, role),
            max_aggregation_interval=ec2.FlowLogMaxAggregationInterval.ONE_MINUTE,
        )
        return log_group
