"""What must stay true of the ecs-fargate blueprint; the snapshot shows whatever else changed."""

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.assembly import Assembly, StackTemplate

PORT = 8080


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["ecs-fargate"].body == snapshot


@pytest.fixture
def fargate(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["ecs-fargate"]


def containers(stack: StackTemplate) -> dict[str, dict[str, Any]]:
    return {each["Name"]: each for each in stack["Task"]["ContainerDefinitions"]}


def volumes(stack: StackTemplate) -> dict[str, Any]:
    """The EFS configuration of each, or None."""
    return {
        volume["Name"]: volume.get("EFSVolumeConfiguration") for volume in stack["Task"]["Volumes"]
    }


def mounts(stack: StackTemplate, volume: str) -> dict[str, bool]:
    """The containers that mount it, and whether they can only read it."""
    return {
        name: mount["ReadOnly"]
        for name, container in containers(stack).items()
        for mount in container["MountPoints"]
        if mount["SourceVolume"] == volume
    }


def of(stack: str, value: dict[str, Any]) -> str:
    """The name of the output of that stack that ``value`` refers to."""
    reference = value["Fn::GetStackOutput"]
    assert reference["StackName"] == f"blueprints-{stack}"
    return str(reference["OutputName"])


def rules(stack: StackTemplate, direction: str) -> list[tuple[Any, Any, int]]:
    """The group, its peer and the port of each rule between security groups."""
    peer = {"Ingress": "SourceSecurityGroupId", "Egress": "DestinationSecurityGroupId"}[direction]
    return [
        (rule["GroupId"], rule[peer], rule["FromPort"])
        for rule in stack.of_type(f"AWS::EC2::SecurityGroup{direction}").values()
        if rule["FromPort"] == rule["ToPort"]
    ]


@pytest.mark.concept("ecs.orchestrator")
def test_the_service_keeps_one_task_running_and_the_cluster_measures_nothing(
    fargate: StackTemplate,
) -> None:
    [cluster] = fargate.of_type("AWS::ECS::Cluster").values()

    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]
    assert fargate["Service"]["DesiredCount"] == 1
    assert fargate["Service"]["TaskDefinition"] == fargate.ref("Task")


@pytest.mark.concept("ecs.launch-type-fargate")
def test_the_task_says_what_it_needs_and_on_no_server(fargate: StackTemplate) -> None:
    task = fargate["Task"]

    assert task["RequiresCompatibilities"] == ["FARGATE"]
    assert (task["NetworkMode"], task["Cpu"], task["Memory"]) == ("awsvpc", "256", "512")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert not {"AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::Instance"} & fargate.types()


def test_spare_capacity_is_for_the_sandbox_and_two_tasks_are_for_production(
    fargate: StackTemplate, production: Assembly
) -> None:
    def chosen(stack: StackTemplate) -> tuple[str, int]:
        [strategy] = stack["Service"]["CapacityProviderStrategy"]
        assert "LaunchType" not in stack["Service"]
        return strategy["CapacityProvider"], stack["Service"]["DesiredCount"]

    assert chosen(fargate) == ("FARGATE_SPOT", 1)
    assert chosen(production.stacks["ecs-fargate"]) == ("FARGATE", 2)


@pytest.mark.concept("ecs.efs-volume")
def test_the_web_container_keeps_files_on_efs_over_tls_by_the_tasks_role(
    fargate: StackTemplate,
) -> None:
    kept = volumes(fargate)["kept"]

    assert of("ec2-storage", kept["FilesystemId"]).startswith("PublishOutputRefFileSystem")
    assert kept["TransitEncryption"] == "ENABLED"
    assert kept["AuthorizationConfig"] == {"AccessPointId": fargate.ref("Folder"), "IAM": "ENABLED"}
    assert mounts(fargate, "kept") == {"Web": False}
    assert fargate["Folder"]["RootDirectory"]["Path"] == "/ecs-fargate"
    assert fargate["Folder"]["PosixUser"] == {"Uid": "1000", "Gid": "1000"}


@pytest.mark.concept("ecs.bind-mount")
def test_two_containers_share_a_volume_that_goes_with_the_task(fargate: StackTemplate) -> None:
    assert mounts(fargate, "page") == {"Web": True, "SideCar": False}
    assert volumes(fargate)["page"] is None
    assert fargate["Task"]["EphemeralStorage"] == {"SizeInGiB": 21}
    assert containers(fargate)["Web"]["DependsOn"] == [
        {"ContainerName": "SideCar", "Condition": "HEALTHY"}
    ]


@pytest.mark.concept("ecs.auto-scaling")
def test_tasks_become_at_most_twice_as_many_when_their_cpu_is_above_half(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["ecs-fargate"]
    target, policy = stack["Service/TaskCount/Target"], stack["Service/TaskCount/Target/Cpu"]

    assert target["ScalableDimension"] == "ecs:service:DesiredCount"
    assert stack.att("Service", "Name") in target["ResourceId"]["Fn::Join"][1]
    assert target["MinCapacity"] == stack["Service"]["DesiredCount"]
    assert target["MaxCapacity"] == 2 * target["MinCapacity"]
    assert policy["PolicyType"] == "TargetTrackingScaling"
    assert policy["ScalingTargetId"] == stack.ref("Service/TaskCount/Target")
    assert policy["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
        },
        "TargetValue": 50,
    }


@pytest.mark.concept("ecs.task-definition")
def test_each_container_has_an_image_a_health_check_and_a_place_for_its_logs(
    fargate: StackTemplate,
) -> None:
    for container in containers(fargate).values():
        assert container["Image"].startswith("public.ecr.aws/")
        assert container["HealthCheck"]["Command"][0] == "CMD-SHELL"
        assert container["LogConfiguration"]["LogDriver"] == "awslogs"
        options = container["LogConfiguration"]["Options"]
        assert options["awslogs-group"] == fargate.ref("Logs")
        assert container["Essential"] is True
    assert containers(fargate)["Web"]["PortMappings"] == [
        {"ContainerPort": PORT, "Protocol": "tcp"}
    ]


@pytest.mark.concept("alb.containers")
def test_the_load_balancer_forwards_a_path_to_the_tasks_and_leaves_the_others_alone(
    fargate: StackTemplate,
) -> None:
    assert fargate["Service"]["LoadBalancers"] == [
        {
            "ContainerName": "Web",
            "ContainerPort": PORT,
            "TargetGroupArn": fargate.ref("Targets"),
        }
    ]
    targets = fargate["Targets"]
    assert (targets["TargetType"], targets["Port"]) == ("ip", PORT)
    assert targets["HealthCheckPath"] == "/health"

    rule = fargate["Rule"]
    assert of("load-balancers", rule["ListenerArn"])
    [condition] = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == ["/fargate", "/fargate/*"]
    assert rule["Actions"] == [{"Type": "forward", "TargetGroupArn": fargate.ref("Targets")}]


def test_a_task_is_reached_by_the_load_balancer_and_reaches_https_and_its_files(
    fargate: StackTemplate,
) -> None:
    group = fargate.att("TaskGroup", "GroupId")
    network = fargate["Service"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["SecurityGroups"] == [group]
    assert "SecurityGroupIngress" not in fargate["TaskGroup"]
    [out] = fargate["TaskGroup"]["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)

    [(_, balancer, port)] = [rule for rule in rules(fargate, "Ingress") if rule[0] == group]
    assert "ApplicationSecurityGroup" in of("load-balancers", balancer)
    assert port == PORT
    [(_, files, port)] = [rule for rule in rules(fargate, "Egress") if rule[0] == group]
    assert "MountTargets" in of("ec2-storage", files)
    assert port == 2049
    # The other ends of both are in this stack too: it goes without touching the other two.
    assert (files, group, 2049) in rules(fargate, "Ingress")
    assert (balancer, group, PORT) in rules(fargate, "Egress")


def test_without_nat_tasks_have_public_addresses_and_otherwise_they_are_in_private_subnets(
    fargate: StackTemplate, production: Assembly
) -> None:
    def where(stack: StackTemplate) -> tuple[str, list[bool]]:
        network = stack["Service"]["NetworkConfiguration"]["AwsvpcConfiguration"]
        public = ["PublicSubnet" in of("vpc", subnet) for subnet in network["Subnets"]]
        return network["AssignPublicIp"], public

    assert where(fargate) == ("ENABLED", [True, True])
    assert where(production.stacks["ecs-fargate"]) == ("DISABLED", [False, False])


def test_a_task_may_use_its_folder_and_nothing_else(fargate: StackTemplate) -> None:
    assert fargate["Task"]["TaskRoleArn"] == fargate.att("Task/TaskRole")
    [statement] = fargate.statements("Task/TaskRole")
    assert statement["Action"] == [
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
    ]
    assert of("ec2-storage", statement["Resource"]).startswith("PublishOutputFnGetAttFileSystem")
    condition = statement["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"]
    assert condition["Fn::Join"][1][-2:] == [":access-point/", fargate.ref("Folder")]

    assert len(fargate.statements("Task/ExecutionRole")) == 1
    assert fargate.allowed("Task/ExecutionRole", fargate.att("Logs")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_nobody_changes_a_container_from_within(fargate: StackTemplate) -> None:
    assert fargate["Service"]["EnableExecuteCommand"] is False
    for container in containers(fargate).values():
        assert container["ReadonlyRootFilesystem"] is True
    assert containers(fargate)["Web"]["User"] != "0"


def test_a_deployment_that_cannot_succeed_is_taken_back(fargate: StackTemplate) -> None:
    configuration = fargate["Service"]["DeploymentConfiguration"]

    assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert configuration["MinimumHealthyPercent"] == 100


def test_no_task_starts_before_it_can_reach_what_it_needs(fargate: StackTemplate) -> None:
    after = fargate.body["Resources"][fargate.logical_id("Service")]["DependsOn"]

    needed = [
        *fargate.of_type("AWS::ECS::ClusterCapacityProviderAssociations"),
        *fargate.of_type("AWS::EC2::SecurityGroupEgress"),
        *fargate.of_type("AWS::EC2::SecurityGroupIngress"),
        *fargate.of_type("AWS::IAM::Policy"),
        fargate.logical_id("Rule"),
    ]
    assert set(needed) <= set(after)
