"""Clusters that leave nothing behind."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from patterns.validations import acknowledge


class Cluster(ecs.Cluster):
    """A cluster without Container Insights, whatever an account says of those that are silent.

    Its metrics bill by the hour, and it writes to a log group that it makes itself and that
    outlives the cluster.

    Args:
        vpc: Where the tasks, or the instances they run on, are.
        enable_fargate_capacity_providers: Whether its services can choose Fargate and Fargate Spot.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        enable_fargate_capacity_providers: bool = False,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.DISABLED,
            enable_fargate_capacity_providers=enable_fargate_capacity_providers,
        )
        acknowledge(
            self,
            "AwsSolutions::AwsSolutions-ECS4",
            reason="Its metrics bill by the hour, and it makes a log group that no stack owns.",
        )
