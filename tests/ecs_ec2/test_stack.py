"""What must stay true of the ecs-ec2 blueprint; the snapshot shows whatever else changed."""

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.assembly import Assembly, StackTemplate

SERVICES = ("Binpack", "Random", "Spread")


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["ecs-ec2"].body == snapshot


@pytest.fixture
def ecs(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["ecs-ec2"]


def only(stack: StackTemplate, resource_type: str) -> str:
    """The logical id of the one resource of a type; the cluster's path names two."""
    [logical_id] = stack.of_type(resource_type)
    return logical_id


def strategies(stack: StackTemplate, service: str) -> list[tuple[str, str]]:
    """Types and fields, without regard to case, like ECS."""
    return [
        (strategy["Type"], strategy.get("Field", "").lower())
        for strategy in stack[f"{service}/Service"]["PlacementStrategies"]
    ]


def settings(stack: StackTemplate) -> dict[str, Any]:
    """What an instance is launched with."""
    data: dict[str, Any] = stack["Instance"]["LaunchTemplateData"]
    return data


def subnets(stack: StackTemplate) -> list[str]:
    """The outputs of the vpc blueprint that name the group's subnets."""
    return [
        subnet["Fn::GetStackOutput"]["OutputName"]
        for subnet in stack["Instances/ASG"]["VPCZoneIdentifier"]
    ]


@pytest.mark.concept("ecs.launch-type-ec2")
def test_the_capacity_provider_scales_a_group_that_is_empty_without_tasks(
    ecs: StackTemplate,
) -> None:
    provider = ecs["Capacity"]["AutoScalingGroupProvider"]

    assert provider["AutoScalingGroupArn"] == ecs.ref("Instances/ASG")
    assert provider["ManagedScaling"] == {"Status": "ENABLED", "TargetCapacity": 100}
    group = ecs["Instances/ASG"]
    assert (group["MinSize"], group["MaxSize"]) == ("0", "2")
    assert "DesiredCapacity" not in group, "each deployment would set it anew"
    for service in SERVICES:
        assert ecs[f"{service}/Service"]["DesiredCount"] == 0


@pytest.mark.concept("ecs.launch-type-ec2")
def test_tasks_run_on_instances_of_the_current_ecs_optimized_image(ecs: StackTemplate) -> None:
    assert ecs["Task"]["RequiresCompatibilities"] == ["EC2"]
    for service in SERVICES:
        assert ecs[f"{service}/Service"]["TaskDefinition"] == ecs.ref("Task")
        assert ecs[f"{service}/Service"]["CapacityProviderStrategy"] == [
            {"CapacityProvider": ecs.ref("Capacity"), "Weight": 1}
        ]

    assert ecs["Instances/ASG"]["LaunchTemplate"] == {
        "LaunchTemplateId": ecs.ref("Instance"),
        "Version": ecs.att("Instance", "LatestVersionNumber"),
    }
    parameter = ecs.body["Parameters"][settings(ecs)["ImageId"]["Ref"]]
    assert parameter["Default"] == (
        "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    )
    assert settings(ecs)["InstanceType"].startswith("t4g.")


@pytest.mark.concept("ecs.placement-binpack")
def test_one_service_fills_an_instance_by_memory_before_it_takes_another(
    ecs: StackTemplate,
) -> None:
    assert strategies(ecs, "Binpack") == [("binpack", "memory")]


@pytest.mark.concept("ecs.placement-random")
def test_one_service_places_its_tasks_anywhere(ecs: StackTemplate) -> None:
    assert ecs["Random/Service"]["PlacementStrategies"] == [{"Type": "random"}]


@pytest.mark.concept("ecs.placement-spread")
def test_one_service_spreads_over_zones_and_then_over_instances(ecs: StackTemplate) -> None:
    assert strategies(ecs, "Spread") == [
        ("spread", "attribute:ecs.availability-zone"),
        ("spread", "instanceid"),
    ]


def test_nothing_of_the_capacity_stands_in_the_way_of_its_deletion(assembly: Assembly) -> None:
    stack = assembly.stacks["ecs-ec2"]
    provider = stack["Capacity"]["AutoScalingGroupProvider"]

    # What protects instances outlives the provider: the group could then not be deleted.
    assert provider["ManagedTerminationProtection"] == "DISABLED"
    assert not stack["Instances/ASG"].get("NewInstancesProtectedFromScaleIn")
    # While a service uses it, the cluster does not let go of the provider.
    for service in SERVICES:
        after = stack.body["Resources"][stack.logical_id(f"{service}/Service")]["DependsOn"]
        assert only(stack, "AWS::ECS::ClusterCapacityProviderAssociations") in after


def test_ecs_drains_instances_itself_without_a_function_that_would_log_for_nobody(
    ecs: StackTemplate,
) -> None:
    assert ecs["Capacity"]["AutoScalingGroupProvider"]["ManagedDraining"] == "ENABLED"
    assert not {"AWS::Lambda::Function", "AWS::AutoScaling::LifecycleHook"} & ecs.types()


def test_a_deployment_that_cannot_succeed_is_taken_back(ecs: StackTemplate) -> None:
    for service in SERVICES:
        configuration = ecs[f"{service}/Service"]["DeploymentConfiguration"]
        assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_nobody_connects_to_an_instance_and_its_credentials_stay_on_it(ecs: StackTemplate) -> None:
    group = ecs["InstanceGroup"]
    assert settings(ecs)["SecurityGroupIds"] == [ecs.att("InstanceGroup", "GroupId")]
    assert "SecurityGroupIngress" not in group
    assert not {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"} & ecs.types()
    [rule] = group["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)

    assert settings(ecs)["MetadataOptions"] == {
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
    }
    assert ecs["Task"]["NetworkMode"] == "bridge", "one more hop than the answers make"
    assert [disk["Ebs"]["Encrypted"] for disk in settings(ecs)["BlockDeviceMappings"]] == [True]


def test_an_instance_may_do_nothing_but_serve_its_own_cluster(ecs: StackTemplate) -> None:
    cluster = only(ecs, "AWS::ECS::Cluster")
    arn = {"Fn::GetAtt": [cluster, "Arn"]}
    assert ecs.allowed("InstanceRole", arn) == {
        "ecs:DeregisterContainerInstance",
        "ecs:RegisterContainerInstance",
        "ecs:SubmitAttachmentStateChanges",
        "ecs:SubmitContainerStateChange",
        "ecs:SubmitTaskStateChange",
    }
    assert ecs.allowed("InstanceRole", "*") == {"ecs:DiscoverPollEndpoint"}
    [polls] = (
        statement
        for statement in ecs.statements("InstanceRole")
        if statement["Resource"] not in ("*", arn)
    )
    assert polls["Resource"]["Fn::Join"][1][-3:] == [
        ":container-instance/",
        {"Ref": cluster},
        "/*",
    ]
    assert polls["Action"] == ["ecs:Poll", "ecs:StartTelemetrySession"]
    assert "ManagedPolicyArns" not in ecs["InstanceRole"]


def test_a_task_may_do_nothing_and_writes_to_the_stacks_own_log_group_only(
    ecs: StackTemplate,
) -> None:
    attached = [
        role for policy in ecs.of_type("AWS::IAM::Policy").values() for role in policy["Roles"]
    ]
    assert ecs["Task"]["TaskRoleArn"] == ecs.att("Task/TaskRole")
    assert ecs.ref("Task/TaskRole") not in attached
    assert ecs.allowed("Task/ExecutionRole", ecs.att("Logs")) == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert len(ecs.statements("Task/ExecutionRole")) == 1

    [container] = ecs["Task"]["ContainerDefinitions"]
    assert container["LogConfiguration"]["Options"]["awslogs-group"] == ecs.ref("Logs")
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] != "0"


def test_without_nat_instances_are_in_public_subnets_and_otherwise_in_private_ones(
    ecs: StackTemplate, production: Assembly
) -> None:
    assert [("Public" in name, "Private" in name) for name in subnets(ecs)] == [(True, False)] * 2
    behind_nat = subnets(production.stacks["ecs-ec2"])
    assert [("Public" in name, "Private" in name) for name in behind_nat] == [(False, True)] * 2


def test_no_log_group_is_made_that_the_stack_does_not_own(assembly: Assembly) -> None:
    # An account may have switched Container Insights on for every cluster that does not object.
    [cluster] = assembly.stacks["ecs-ec2"].of_type("AWS::ECS::Cluster").values()
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]
