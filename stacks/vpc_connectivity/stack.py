"""VPC connectivity: peering, which is not transitive, and endpoints instead of the internet."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge, wildcard_below
from stacks.vpc_connectivity.peering import Peering, refuse_unpeerable

HANDLERS = Path(__file__).parent / "handlers"
# All that the endpoint for S3 lets through.
KEPT = "documents/*"


class VpcConnectivityStack(cdk.Stack):
    """Three isolated VPCs: peering, which is not transitive, and endpoints of both kinds.

    VPC A is peered with B, and B with C. None has a way to the internet; A has endpoints instead.
    ``KeepDocument`` in A writes to a bucket through the gateway endpoint for S3, whose policy lets
    nothing else pass; the bucket in turn hands out documents to nobody who comes another way. The
    interface endpoint for STS has private addresses in A: functions in A find them under STS's
    public name, a function in B reaches them over the peering, and one in C does not.

    Args:
        availability_zones: How many isolated subnets each VPC has, 1 or 2. The interface endpoint
            lies, and bills by the hour, in each zone.
        removal_policy: Of the bucket. CloudFormation deletes an empty one only: who puts documents
            into it has to delete them.
        log_retention: Of the functions' logs.
        cidrs: The IPv4 ranges of A, B and C, /16 to /24, of which no two overlap.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        availability_zones: int,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        cidrs: tuple[str, str, str] = ("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"),
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        refuse_unpeerable(cidrs)

        vpcs = {
            name: self._isolated_vpc(f"Vpc{name}", cidr, availability_zones)
            for name, cidr in zip("ABC", cidrs, strict=True)
        }
        a_to_b = Peering(self, "AToB", requester=vpcs["A"], accepter=vpcs["B"])
        b_to_c = Peering(self, "BToC", requester=vpcs["B"], accepter=vpcs["C"])

        groups = {name: self._https_only(f"FunctionsIn{name}", vpcs[name]) for name in vpcs}
        documents = self._documents(removal_policy)
        keep_document = PythonFunction(
            self,
            "KeepDocument",
            source=HANDLERS / "keep_document",
            timeout=cdk.Duration.seconds(30),
            log_retention=log_retention,
            environment={"BUCKET_NAME": documents.bucket_name},
            vpc=vpcs["A"],
            security_groups=[groups["A"]],
        )
        keep_document.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:PutObject"], resources=[documents.arn_for_objects("*")]
            )
        )
        assert keep_document.role
        acknowledge(
            keep_document.role,
            wildcard_below(documents, "/*"),
            reason="Any document of this bucket; the endpoint's policy narrows it to a prefix.",
        )
        s3_endpoint = self._s3_endpoint(vpcs["A"], documents)
        dynamodb_endpoint = vpcs["A"].add_gateway_endpoint(
            "DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
        )

        sts_group = ec2.SecurityGroup(
            self,
            "StsGroup",
            vpc=vpcs["A"],
            description="The endpoint for STS answers VPC A and its peer, VPC B.",
            allow_all_outbound=False,
        )
        for name, cidr in zip("AB", cidrs, strict=False):
            sts_group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.HTTPS, f"From VPC {name}")
        sts_endpoint = self._sts_endpoint(vpcs["A"], sts_group)
        for name, vpc in vpcs.items():
            connect = PythonFunction(
                self,
                f"ConnectFrom{name}",
                source=HANDLERS / "connect",
                timeout=cdk.Duration.seconds(15),
                log_retention=log_retention,
                vpc=vpc,
                security_groups=[groups[name]],
            )
            cdk.CfnOutput(self, f"ConnectFrom{name}Name", value=connect.function_name)

        for name, vpc in vpcs.items():
            cdk.CfnOutput(self, f"Vpc{name}Id", value=vpc.vpc_id)
        cdk.CfnOutput(self, "AToBId", value=a_to_b.connection_id)
        cdk.CfnOutput(self, "BToCId", value=b_to_c.connection_id)
        cdk.CfnOutput(self, "S3EndpointId", value=s3_endpoint.vpc_endpoint_id)
        cdk.CfnOutput(self, "DynamoDbEndpointId", value=dynamodb_endpoint.vpc_endpoint_id)
        cdk.CfnOutput(self, "StsEndpointId", value=sts_endpoint.vpc_endpoint_id)
        cdk.CfnOutput(self, "StsGroupId", value=sts_group.security_group_id)
        cdk.CfnOutput(self, "DocumentsName", value=documents.bucket_name)
        cdk.CfnOutput(self, "KeepDocumentName", value=keep_document.function_name)

    def _isolated_vpc(self, name: str, cidr: str, availability_zones: int) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            name,
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            max_azs=availability_zones,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                )
            ],
            # The CDK would close it with a function of its own, which leaves a log group behind.
            restrict_default_security_group=False,
        )
        acknowledge(
            vpc,
            "AwsSolutions::AwsSolutions-VPC7",
            reason="Nothing gets in from outside; the vpc blueprint shows flow logs.",
        )
        return vpc

    def _https_only(self, name: str, vpc: ec2.IVpc) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            name,
            vpc=vpc,
            description="Nobody reaches these functions over the network. They speak HTTPS only.",
            allow_all_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To endpoints, here or beyond")
        return group

    def _documents(self, removal_policy: cdk.RemovalPolicy) -> s3.Bucket:
        documents = s3.Bucket(
            self,
            "Documents",
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=removal_policy,
        )
        acknowledge(
            documents,
            "AwsSolutions::AwsSolutions-S1",
            reason="Nobody but one function is granted access; the s3 blueprint shows access logs.",
        )
        return documents

    def _s3_endpoint(self, vpc: ec2.Vpc, documents: s3.Bucket) -> ec2.GatewayVpcEndpoint:
        """The only way to the documents, which leads nowhere else."""
        endpoint = vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[documents.arn_for_objects(KEPT)],
            )
        )
        documents.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                # To deny everything would shut out whoever is to change this policy, or to delete
                # the bucket with its stack.
                actions=["s3:GetObject", "s3:PutObject"],
                resources=[documents.arn_for_objects("*")],
                conditions={"StringNotEquals": {"aws:SourceVpce": endpoint.vpc_endpoint_id}},
            )
        )
        return endpoint

    def _sts_endpoint(self, vpc: ec2.Vpc, group: ec2.ISecurityGroup) -> ec2.InterfaceVpcEndpoint:
        """STS under its public name and a private address, for this account's roles."""
        endpoint = vpc.add_interface_endpoint(
            "Sts",
            service=ec2.InterfaceVpcEndpointAwsService.STS,
            private_dns_enabled=True,
            # The CDK would let in the whole VPC, by a rule that cdk-nag cannot read.
            open=False,
            security_groups=[group],
        )
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["sts:GetCallerIdentity"],
                resources=["*"],
                conditions={"StringEquals": {"aws:PrincipalAccount": self.account}},
            )
        )
        return endpoint
