"""EKS: a Kubernetes cluster without nodes of its own, and who may work in it."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.validations import InvalidArgumentError
from stacks.eks.roles import ControlPlaneRole, NodeRole
from stacks.profile import Nat


class EksStack(cdk.Stack):
    """A Kubernetes cluster whose nodes come and go with their pods, and an add-on on each of them.

    A request of ``Operators`` reaches the API server over the internet, where IAM says who it is
    and an access entry what it may do: edit what is in the namespace ``default``. A pod that finds
    no room has Auto Mode start an instance, in private subnets if these reach the internet; the
    last pod that leaves takes it along. The add-on exports the metrics of every instance.

    CloudFormation deploys add-ons but no manifests: ``web.yaml`` is for kubectl, or for whatever
    delivers your applications.

    Args:
        vpc: Where the control plane has its network interfaces, and the nodes lie.
        nat: How its private subnets reach the internet; with ``Nat.NONE`` the cluster lies in its
            public ones, where nodes have addresses of their own.
        version: Of Kubernetes. AWS upgrades the cluster when the version's standard support ends,
            after 14 months, rather than charge six times the price.
        deletion_protection: Refuse to delete the cluster until this is switched off.
        log_retention: Of the control plane's logs.
        api_clients: The IPv4 ranges from which the API server is reached, besides the VPC; None:
            from anywhere.

    Raises:
        InvalidArgumentError: If one of ``api_clients`` is no IPv4 range, or if there is none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        nat: Nat,
        version: eks.KubernetesVersion,
        deletion_protection: bool,
        log_retention: logs.RetentionDays,
        api_clients: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if api_clients is not None:
            _refuse_what_are_no_clients(api_clients)
        super().__init__(scope, construct_id, **kwargs)

        # EKS writes to the group of this name, and makes it if it is not there.
        log_group = logs.LogGroup(
            self,
            "ControlPlaneLogs",
            log_group_name=f"/aws/eks/{self.stack_name}/cluster",
            retention=log_retention,
            # Also in production: it would be in the way of the next cluster of this name.
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        # The CDK's Cluster would tag the subnets, which is a change of the stack they belong to.
        cluster = eks.CfnCluster(
            self,
            "Cluster",
            name=self.stack_name,
            version=version.version,
            role_arn=ControlPlaneRole(self, "ControlPlane").role_arn,
            resources_vpc_config=eks.CfnCluster.ResourcesVpcConfigProperty(
                subnet_ids=vpc.select_subnets(subnet_type=nat.subnet_type).subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=True,
                public_access_cidrs=list(api_clients) if api_clients else None,
            ),
            access_config=eks.CfnCluster.AccessConfigProperty(
                authentication_mode="API",
                # Whoever deploys makes clusters; that is no reason to let them into one.
                bootstrap_cluster_creator_admin_permissions=False,
            ),
            # Auto Mode is all three of compute, load balancers and block storage, or nothing.
            compute_config=eks.CfnCluster.ComputeConfigProperty(
                enabled=True,
                node_pools=["general-purpose"],
                node_role_arn=NodeRole(self, "Nodes").role_arn,
            ),
            kubernetes_network_config=eks.CfnCluster.KubernetesNetworkConfigProperty(
                elastic_load_balancing=eks.CfnCluster.ElasticLoadBalancingProperty(enabled=True)
            ),
            storage_config=eks.CfnCluster.StorageConfigProperty(
                block_storage=eks.CfnCluster.BlockStorageProperty(enabled=True)
            ),
            logging=eks.CfnCluster.LoggingProperty(
                cluster_logging=eks.CfnCluster.ClusterLoggingProperty(
                    enabled_types=[
                        eks.CfnCluster.LoggingTypeConfigProperty(type=part)
                        for part in (
                            "api",
                            "audit",
                            "authenticator",
                            "controllerManager",
                            "scheduler",
                        )
                    ]
                )
            ),
            upgrade_policy=eks.CfnCluster.UpgradePolicyProperty(support_type="STANDARD"),
            deletion_protection=deletion_protection,
        )
        cluster.node.add_dependency(log_group)

        operators = iam.Role(self, "Operators", assumed_by=iam.AccountRootPrincipal())
        # What `aws eks update-kubeconfig` asks for.
        operators.add_to_policy(
            iam.PolicyStatement(actions=["eks:DescribeCluster"], resources=[cluster.attr_arn])
        )
        eks.CfnAccessEntry(
            self,
            "OperatorsAccess",
            cluster_name=cluster.ref,
            principal_arn=operators.role_arn,
            access_policies=[
                eks.CfnAccessEntry.AccessPolicyProperty(
                    policy_arn=f"arn:{cdk.Aws.PARTITION}:eks::aws:cluster-access-policy/"
                    "AmazonEKSEditPolicy",
                    access_scope=eks.CfnAccessEntry.AccessScopeProperty(
                        type="namespace", namespaces=["default"]
                    ),
                )
            ],
        )

        eks.CfnAddon(
            self,
            "NodeExporter",
            cluster_name=cluster.ref,
            addon_name="prometheus-node-exporter",
        )

        cdk.CfnOutput(self, "ClusterName", value=cluster.ref)
        cdk.CfnOutput(self, "OperatorsArn", value=operators.role_arn)
        cdk.CfnOutput(self, "LogGroupName", value=log_group.log_group_name)


def _refuse_what_are_no_clients(api_clients: Sequence[str]) -> None:
    if not api_clients:
        raise InvalidArgumentError(
            "api_clients is empty, so nobody could use the cluster; give ranges, or leave it out"
        )
    for given in api_clients:
        try:
            IPv4Network(given)
        except ValueError as error:
            raise InvalidArgumentError(
                f"api_clients '{given}' is not an IPv4 range ({error}); "
                "give one like 203.0.113.0/24"
            ) from None
