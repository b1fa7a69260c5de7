"""Who acts for the cluster: its control plane, and its nodes."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.validations import acknowledge


class ControlPlaneRole(iam.Role):
    """Lets EKS make and take away what pods and services ask for.

    https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        policies = [
            f"AmazonEKS{part}Policy"
            for part in ("BlockStorage", "Cluster", "Compute", "LoadBalancing", "Networking")
        ]
        super().__init__(
            scope,
            construct_id,
            # Auto Mode's policies distinguish clusters by tags of the session.
            assumed_by=iam.ServicePrincipal("eks.amazonaws.com").with_session_tags(),
            managed_policies=_managed(policies),
        )
        acknowledge(
            self,
            *_findings(policies),
            reason="What EKS does with instances, disks, load balancers and addresses, AWS keeps "
            "in these policies. Only EKS assumes the role.",
        )


class NodeRole(iam.Role):
    """Lets instances join their cluster and pull images.

    https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        policies = ["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"]
        super().__init__(
            scope,
            construct_id,
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=_managed(policies),
        )
        acknowledge(
            self,
            *_findings(policies),
            reason="The least that EKS documents for nodes: to join, and to pull images.",
        )


def _managed(names: list[str]) -> list[iam.IManagedPolicy]:
    return [iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in names]


def _findings(names: list[str]) -> list[str]:
    return [
        f"AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"
        for name in names
    ]
