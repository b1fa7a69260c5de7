"""ECS on EC2: instances that come and go with the tasks, and three ways to place these."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.ecs import Cluster
from patterns.validations import acknowledge
from stacks.profile import Nat

# Instances pull it from a public registry over HTTPS, without credentials.
IMAGE = "public.ecr.aws/docker/library/busybox:1.37"


class EcsEc2Stack(cdk.Stack):
    """Tasks on EC2 instances that come and go with them, placed by binpack, random and spread.

    A task for which no instance has room waits. The capacity provider raises the size of the group,
    a new instance registers with the cluster, and the service's strategy chooses where the task
    goes. Every service starts with no task, so there is no instance until you ask for tasks.

    ECS drains an instance before it ends. Managed termination protection, the other way to spare
    tasks, stays off: instances keep that protection when their capacity provider is deleted, and
    then the group cannot be.

    Args:
        vpc: Where the instances are, in every zone that it has.
        nat: How its private subnets reach the internet. With ``Nat.NONE`` the instances are in the
            public ones; nobody can connect to them there either.
        log_retention: Of what the tasks print.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        nat: Nat,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        cluster = Cluster(self, "Cluster", vpc=vpc)
        group = self._group(cluster, nat)
        capacity = ecs.AsgCapacityProvider(
            self,
            "Capacity",
            auto_scaling_group=group,
            enable_managed_scaling=True,
            # Said for the CDK too, which would otherwise drain by a function of its own.
            enable_managed_draining=True,
            enable_managed_termination_protection=False,
        )
        cluster.add_asg_capacity_provider(capacity)

        task = self._task(log_retention)
        by_zone = ecs.PlacementStrategy.spread_across(ecs.BuiltInAttributes.AVAILABILITY_ZONE)
        services = {
            name: self._service(name, cluster, task, capacity, strategies)
            for name, strategies in {
                "Binpack": [ecs.PlacementStrategy.packed_by_memory()],
                "Random": [ecs.PlacementStrategy.randomly()],
                "Spread": [by_zone, ecs.PlacementStrategy.spread_across_instances()],
            }.items()
        }

        cdk.CfnOutput(self, "ClusterName", value=cluster.cluster_name)
        cdk.CfnOutput(self, "CapacityProviderName", value=capacity.capacity_provider_name)
        cdk.CfnOutput(self, "GroupName", value=group.auto_scaling_group_name)
        for name, service in services.items():
            cdk.CfnOutput(self, f"{name}ServiceName", value=service.service_name)

    def _group(self, cluster: Cluster, nat: Nat) -> autoscaling.AutoScalingGroup:
        door = ec2.SecurityGroup(
            self,
            "InstanceGroup",
            vpc=cluster.vpc,
            description="Nobody connects to the instances. They speak HTTPS only.",
            allow_all_outbound=False,
        )
        door.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To ECS and the registry of the image"
        )
        group = autoscaling.AutoScalingGroup(
            self,
            "Instances",
            vpc=cluster.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=nat.subnet_type),
            launch_template=ec2.LaunchTemplate(
                self,
                "Instance",
                instance_type=ec2.InstanceType("t4g.micro"),
                machine_image=ecs.EcsOptimizedImage.amazon_linux2023(ecs.AmiHardwareType.ARM),
                user_data=ec2.UserData.for_linux(),
                security_group=door,
                # Without what the CDK adds to it: that would name neither log groups nor instances.
                role=self._instance_role(cluster).without_policy_updates(),
                block_devices=[
                    ec2.BlockDevice(
                        device_name="/dev/xvda",
                        # As small as the image's snapshot allows.
                        volume=ec2.BlockDeviceVolume.ebs(
                            30, volume_type=ec2.EbsDeviceVolumeType.GP3, encrypted=True
                        ),
                    )
                ],
                require_imdsv2=True,
                # Answers of the metadata service, the role's credentials among them, reach the
                # instance but not the containers behind its bridge.
                http_put_response_hop_limit=1,
            ),
            min_capacity=0,
            max_capacity=2,
        )
        acknowledge(
            group.node.find_child("ASG"),
            "AwsSolutions::AwsSolutions-AS3",
            reason="ECS scales it and tells why: see its scaling activities and service events.",
        )
        return group

    def _instance_role(self, cluster: Cluster) -> iam.Role:
        """What the container agent does, and no other cluster.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
        """
        role = iam.Role(self, "InstanceRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        instances = self.format_arn(
            service="ecs", resource="container-instance", resource_name=f"{cluster.cluster_name}/*"
        )
        for actions, resource in (
            (
                [
                    "ecs:DeregisterContainerInstance",
                    "ecs:RegisterContainerInstance",
                    "ecs:SubmitAttachmentStateChanges",
                    "ecs:SubmitContainerStateChange",
                    "ecs:SubmitTaskStateChange",
                ],
                cluster.cluster_arn,
            ),
            (["ecs:Poll", "ecs:StartTelemetrySession"], instances),
            (["ecs:DiscoverPollEndpoint"], "*"),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))

        named = cluster.node.default_child
        assert isinstance(named, cdk.CfnElement)
        acknowledge(
            role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>"
            f":<AWS::AccountId>:container-instance/<{self.get_logical_id(named)}>/*]",
            reason="ECS names an instance when it registers; the path ends with this cluster's.",
        )
        acknowledge(
            role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            reason="DiscoverPollEndpoint, which tells where ECS listens, has no resource to name.",
        )
        return role

    def _task(self, log_retention: logs.RetentionDays) -> ecs.Ec2TaskDefinition:
        task = ecs.Ec2TaskDefinition(self, "Task", network_mode=ecs.NetworkMode.BRIDGE)
        task.add_container(
            "Idler",
            image=ecs.ContainerImage.from_registry(IMAGE),
            command=["tail", "-f", "/dev/null"],
            memory_limit_mib=64,
            readonly_root_filesystem=True,
            user="65534",
            # It does not listen to the request to stop; no reason to wait 30 seconds for it.
            stop_timeout=cdk.Duration.seconds(2),
            logging=ecs.LogDriver.aws_logs(
                stream_prefix="idler",
                log_group=logs.LogGroup(
                    self,
                    "Logs",
                    retention=log_retention,
                    removal_policy=cdk.RemovalPolicy.DESTROY,
                ),
            ),
        )
        return task

    def _service(
        self,
        name: str,
        cluster: Cluster,
        task: ecs.Ec2TaskDefinition,
        capacity: ecs.AsgCapacityProvider,
        strategies: list[ecs.PlacementStrategy],
    ) -> ecs.Ec2Service:
        service = ecs.Ec2Service(
            self,
            name,
            cluster=cluster,
            task_definition=task,
            desired_count=0,
            capacity_provider_strategies=[
                ecs.CapacityProviderStrategy(
                    capacity_provider=capacity.capacity_provider_name, weight=1
                )
            ],
            placement_strategies=strategies,
            # A deployment that cannot succeed is taken back instead of tried for hours.
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
        )
        # The cluster lets go of a capacity provider only when no service uses it: first comes the
        # association, which the CDK keeps below the cluster, and last it goes.
        service.node.add_dependency(cluster)
        return service
