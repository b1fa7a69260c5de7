"""ECS on Fargate: containers without servers, what they share, and what outlasts them."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_efs as efs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.ecs import Cluster
from stacks.profile import Nat

CONTAINERS = Path(__file__).parent / "containers"
# Fargate pulls it from a public registry over HTTPS, without credentials. The programs come with
# the task definition: there is no image to build.
IMAGE = "public.ecr.aws/docker/library/python:3.14-alpine"
PORT = 8080


class EcsFargateStack(cdk.Stack):
    """A Fargate service behind the ALB: side-car, bind mount, EFS volume, service auto scaling.

    A request for ``/fargate/`` passes the load balancer's listener and a rule of this stack, and
    reaches the web container of one of the tasks. It answers with what the side-car of its task
    wrote to the bind mount, which goes with the task, and with the names of all tasks that ever
    signed in on the EFS volume, which stays. How many tasks there are follows their CPU.

    Args:
        vpc: Where the tasks are, in every zone that it has.
        nat: How its private subnets reach the internet. With ``Nat.NONE`` the tasks are in the
            public ones, with addresses of their own, and still let in nobody but the load balancer.
        listener: Of an application load balancer in ``vpc``.
        file_system: With mount targets in every zone of ``vpc``. The tasks have a folder in it.
        tasks: How many there are at least; at most twice as many.
        spot: Whether they run on spare capacity, cheaper, which AWS takes back at two minutes'
            notice.
        log_retention: Of what the containers print.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        nat: Nat,
        listener: elbv2.ApplicationListener,
        file_system: efs.IFileSystem,
        tasks: int,
        spot: bool,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        cluster = Cluster(self, "Cluster", vpc=vpc, enable_fargate_capacity_providers=True)
        task = self._task(file_system, log_retention)

        group = ec2.SecurityGroup(
            self,
            "TaskGroup",
            vpc=vpc,
            description="Reached by the load balancer only; speaks HTTPS, and NFS to its files.",
            allow_all_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To the registry and the logs")
        group.connections.allow_to(file_system, ec2.Port.NFS, "To the EFS volume")

        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            desired_count=tasks,
            capacity_provider_strategies=[
                ecs.CapacityProviderStrategy(
                    capacity_provider="FARGATE_SPOT" if spot else "FARGATE", weight=1
                )
            ],
            vpc_subnets=ec2.SubnetSelection(subnet_type=nat.subnet_type),
            assign_public_ip=nat is Nat.NONE,
            security_groups=[group],
            # A deployment that cannot succeed is taken back instead of tried for hours.
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            health_check_grace_period=cdk.Duration.minutes(1),
            enable_execute_command=False,
        )
        # First what tasks need to start: some that fail in a row are a failed deployment. And the
        # cluster, with which the CDK associates its capacity providers: it lets go of these only
        # when no service uses them.
        service.node.add_dependency(task, group, cluster)
        targets = elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=vpc,
            target_type=elbv2.TargetType.IP,
            port=PORT,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[service.load_balancer_target(container_name="Web", container_port=PORT)],
            health_check=elbv2.HealthCheck(path="/health", healthy_threshold_count=2),
            deregistration_delay=cdk.Duration.seconds(10),
        )
        rule = elbv2.ApplicationListenerRule(
            self,
            "Rule",
            listener=listener,
            priority=100,
            conditions=[elbv2.ListenerCondition.path_patterns(["/fargate", "/fargate/*"])],
            action=elbv2.ListenerAction.forward([targets]),
        )

        service.auto_scale_task_count(
            min_capacity=tasks, max_capacity=2 * tasks
        ).scale_on_cpu_utilization("Cpu", target_utilization_percent=50)

        cdk.CfnOutput(self, "ClusterName", value=cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=service.service_name)
        cdk.CfnOutput(self, "TaskDefinitionArn", value=task.task_definition_arn)
        cdk.CfnOutput(self, "TargetsArn", value=targets.target_group_arn)
        cdk.CfnOutput(self, "RuleArn", value=rule.listener_rule_arn)
        cdk.CfnOutput(self, "MaximumTasks", value=str(2 * tasks))
        cdk.CfnOutput(self, "DnsName", value=listener.load_balancer.load_balancer_dns_name)

    def _task(
        self, file_system: efs.IFileSystem, log_retention: logs.RetentionDays
    ) -> ecs.FargateTaskDefinition:
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=256,
            memory_limit_mib=512,
            # From 21 to 200; 20 come with every task.
            ephemeral_storage_gib=21,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        task.add_volume(name="page")
        self._add_efs_volume(task, "kept", file_system)
        log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, removal_policy=cdk.RemovalPolicy.DESTROY
        )

        web = task.add_container(
            "Web",
            image=ecs.ContainerImage.from_registry(IMAGE),
            command=_python("web", str(PORT)),
            port_mappings=[ecs.PortMapping(container_port=PORT)],
            user="65534",
            readonly_root_filesystem=True,
            health_check=ecs.HealthCheck(
                command=["CMD-SHELL", f"wget -q -O /dev/null http://127.0.0.1:{PORT}/health"]
            ),
            logging=ecs.LogDriver.aws_logs(stream_prefix="web", log_group=log_group),
        )
        side_car = task.add_container(
            "SideCar",
            image=ecs.ContainerImage.from_registry(IMAGE),
            command=_python("side_car"),
            # A bind mount belongs to root, who alone writes to it:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
            user="0",
            readonly_root_filesystem=True,
            health_check=ecs.HealthCheck(
                command=["CMD-SHELL", 'test -n "$(find /page/page.json -mmin -1)"'],
                interval=cdk.Duration.seconds(10),
            ),
            logging=ecs.LogDriver.aws_logs(stream_prefix="side-car", log_group=log_group),
        )
        web.add_mount_points(
            ecs.MountPoint(source_volume="page", container_path="/page", read_only=True),
            ecs.MountPoint(source_volume="kept", container_path="/kept", read_only=False),
        )
        side_car.add_mount_points(
            ecs.MountPoint(source_volume="page", container_path="/page", read_only=False)
        )
        web.add_container_dependencies(
            ecs.ContainerDependency(
                container=side_car, condition=ecs.ContainerDependencyCondition.HEALTHY
            )
        )
        return task

    def _add_efs_volume(
        self, task: ecs.TaskDefinition, name: str, file_system: efs.IFileSystem
    ) -> None:
        """A folder of the file system, over TLS, for nobody who does not have the task's role."""
        folder = efs.AccessPoint(
            self,
            "Folder",
            file_system=file_system,
            path="/ecs-fargate",
            posix_user=efs.PosixUser(uid="1000", gid="1000"),
            create_acl=efs.Acl(owner_uid="1000", owner_gid="1000", permissions="700"),
        )
        task.add_volume(
            name=name,
            efs_volume_configuration=ecs.EfsVolumeConfiguration(
                file_system_id=file_system.file_system_id,
                transit_encryption="ENABLED",
                authorization_config=ecs.AuthorizationConfig(
                    access_point_id=folder.access_point_id, iam="ENABLED"
                ),
            ),
        )
        task.add_to_task_role_policy(
            iam.PolicyStatement(
                actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
                resources=[file_system.file_system_arn],
                conditions={
                    "StringEquals": {"elasticfilesystem:AccessPointArn": folder.access_point_arn}
                },
            )
        )


def _python(program: str, *arguments: str) -> list[str]:
    return ["python", "-c", (CONTAINERS / f"{program}.py").read_text(), *arguments]
