"""What CloudFormation makes of clusters, task definitions and services, as ECS describes it."""

from typing import Any

from tests.rehearsal.extension.conftest import Client, Deploy, Resources, Stack


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::ECS::{kind}", "Properties": properties}


CONTAINER = {"Name": "web", "Image": "example.test/web:1", "Memory": 64}
CLUSTER: Resources = {"Cluster": resource("Cluster")}
GROUP: Resources = {
    "Template": {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {"LaunchTemplateData": {"ImageId": "ami-0123456789abcdef0"}},
    },
    "Group": {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {
            "MinSize": "0",
            "MaxSize": "2",
            "AvailabilityZones": ["us-east-1a"],
            "LaunchTemplate": {
                "LaunchTemplateId": {"Ref": "Template"},
                "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
            },
        },
    },
}
TASK: Resources = {"Task": resource("TaskDefinition", ContainerDefinitions=[CONTAINER])}


def capacity_provider(**properties: Any) -> Resources:
    provider = {"AutoScalingGroupArn": {"Ref": "Group"}, **properties}
    return {"Capacity": resource("CapacityProvider", AutoScalingGroupProvider=provider)}


def service(**properties: Any) -> Resources:
    return {
        "Service": resource(
            "Service",
            Cluster={"Ref": "Cluster"},
            TaskDefinition={"Ref": "Task"},
            **{"DesiredCount": 0, **properties},
        )
    }


def described_provider(client: Client, name: str) -> dict[str, Any]:
    [provider] = client("ecs").describe_capacity_providers(capacityProviders=[name])[
        "capacityProviders"
    ]
    return dict(provider["autoScalingGroupProvider"])


def described_service(client: Client, stack: Stack) -> dict[str, Any]:
    [found] = client("ecs").describe_services(
        cluster=stack["Cluster"], services=[stack["Service"]]
    )["services"]
    return dict(found)


def described_cluster(client: Client, stack: Stack) -> dict[str, Any]:
    [found] = client("ecs").describe_clusters(clusters=[stack["Cluster"]])["clusters"]
    return dict(found)


def test_a_capacity_provider_scales_and_drains_the_group_it_is_given_by_name(
    deploy: Deploy, client: Client
) -> None:
    def template(target: int) -> Resources:
        scaling = {"Status": "ENABLED", "TargetCapacity": target}
        return {**GROUP, **capacity_provider(ManagedScaling=scaling, ManagedDraining="DISABLED")}

    stack = deploy(template(80))
    name = stack["Capacity"]
    [group] = client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[stack["Group"]]
    )["AutoScalingGroups"]

    provider = described_provider(client, name)
    assert provider["autoScalingGroupArn"] == group["AutoScalingGroupARN"]
    assert {tag["Key"]: tag["PropagateAtLaunch"] for tag in group["Tags"]}["team"] is True
    assert provider["managedScaling"] == {"status": "ENABLED", "targetCapacity": 80}
    assert provider["managedDraining"] == "DISABLED"

    stack.update(template(100))

    assert stack["Capacity"] == name
    assert described_provider(client, name)["managedScaling"]["targetCapacity"] == 100

    stack.delete()
    left = client("ecs").describe_capacity_providers()["capacityProviders"]
    assert name not in [each["name"] for each in left]


def test_a_capacity_provider_of_no_group_is_refused(attempt: Deploy) -> None:
    provider = {"AutoScalingGroupArn": "nobody"}
    stack = attempt({"Capacity": resource("CapacityProvider", AutoScalingGroupProvider=provider)})

    assert stack.status == "ROLLBACK_COMPLETE"
    assert "The Auto Scaling group nobody does not exist" in stack.reasons[0]


def test_a_cluster_is_given_capacity_providers_and_they_are_taken_back(
    deploy: Deploy, client: Client
) -> None:
    def associated(*strategy: dict[str, Any]) -> Resources:
        return {
            **CLUSTER,
            "Associations": resource(
                "ClusterCapacityProviderAssociations",
                Cluster={"Ref": "Cluster"},
                CapacityProviders=["FARGATE", "FARGATE_SPOT"],
                DefaultCapacityProviderStrategy=list(strategy),
            ),
        }

    stack = deploy(associated())
    cluster = described_cluster(client, stack)
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["defaultCapacityProviderStrategy"] == []

    stack.update(associated({"CapacityProvider": "FARGATE_SPOT", "Weight": 2}))
    [strategy] = described_cluster(client, stack)["defaultCapacityProviderStrategy"]
    assert (strategy["capacityProvider"], strategy["weight"]) == ("FARGATE_SPOT", 2)

    stack.update(CLUSTER)
    assert described_cluster(client, stack)["capacityProviders"] == []


def test_a_task_definition_is_what_the_template_says_and_a_changed_one_is_the_next_revision(
    deploy: Deploy, client: Client
) -> None:
    ecs = client("ecs")

    def template(image: str) -> Resources:
        container = {
            **CONTAINER,
            "Image": image,
            "HealthCheck": {"Command": ["CMD", "true"], "Interval": 5},
            "MountPoints": [{"ContainerPath": "/data", "SourceVolume": "data"}],
        }
        volume = {
            "Name": "data",
            "EFSVolumeConfiguration": {
                "FilesystemId": "fs-12345678",
                "TransitEncryption": "ENABLED",
                "AuthorizationConfig": {"IAM": "ENABLED"},
            },
        }
        task = resource(
            "TaskDefinition",
            Family="shop",
            ContainerDefinitions=[container],
            Volumes=[volume],
            EphemeralStorage={"SizeInGiB": 21},
            RuntimePlatform={"CpuArchitecture": "ARM64"},
            RequiresCompatibilities=["FARGATE"],
            Cpu="256",
            Memory="512",
        )
        return {"Task": task}

    stack = deploy(template("example.test/web:1"))
    before = ecs.describe_task_definition(taskDefinition=stack["Task"])["taskDefinition"]
    assert (before["family"], before["cpu"], before["memory"]) == ("shop", "256", "512")
    assert before["ephemeralStorage"] == {"sizeInGiB": 21}
    assert before["runtimePlatform"] == {"cpuArchitecture": "ARM64"}
    [container] = before["containerDefinitions"]
    assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 5}
    assert container["mountPoints"] == [{"containerPath": "/data", "sourceVolume": "data"}]
    [volume] = before["volumes"]
    assert volume["efsVolumeConfiguration"] == {
        "fileSystemId": "fs-12345678",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"iam": "ENABLED"},
    }

    stack.update(template("example.test/web:2"))

    after = ecs.describe_task_definition(taskDefinition=stack["Task"])["taskDefinition"]
    assert after["revision"] == before["revision"] + 1
    assert after["containerDefinitions"][0]["image"] == "example.test/web:2"
    replaced = ecs.describe_task_definition(taskDefinition=before["taskDefinitionArn"])
    assert replaced["taskDefinition"]["status"] == "INACTIVE"


def test_a_service_says_how_its_tasks_are_placed_and_deployed(
    deploy: Deploy, client: Client
) -> None:
    breaker = {"Enable": True, "Rollback": True}
    stack = deploy(
        {
            **CLUSTER,
            **TASK,
            **service(
                PlacementStrategies=[
                    {"Type": "spread", "Field": "instanceId"},
                    {"Type": "binpack", "Field": "MEMORY"},
                ],
                DeploymentConfiguration={
                    "DeploymentCircuitBreaker": breaker,
                    "MaximumPercent": 150,
                    "MinimumHealthyPercent": 50,
                },
                HealthCheckGracePeriodSeconds=30,
            ),
        },
        Name={"Fn::GetAtt": ["Service", "Name"]},
    )

    found = described_service(client, stack)
    assert found["serviceName"] == stack.outputs["Name"]
    assert found["taskDefinition"] == stack["Task"]
    assert found["healthCheckGracePeriodSeconds"] == 30
    assert found["placementStrategy"] == [
        {"type": "spread", "field": "instanceId"},
        {"type": "binpack", "field": "MEMORY"},
    ]
    configuration = found["deploymentConfiguration"]
    assert configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert configuration["maximumPercent"] == 150


def test_a_service_is_changed_in_place_and_inactive_when_it_is_deleted(
    deploy: Deploy, client: Client
) -> None:
    random = service(PlacementStrategies=[{"Type": "random"}])
    stack = deploy({**CLUSTER, **TASK, **random})
    arn = stack["Service"]
    assert described_service(client, stack)["placementStrategy"] == [{"type": "random"}]

    stack.update({**CLUSTER, **TASK, **service(HealthCheckGracePeriodSeconds=60)})

    found = described_service(client, stack)
    assert stack["Service"] == arn
    assert found["healthCheckGracePeriodSeconds"] == 60
    assert "placementStrategy" not in found

    stack.update({**CLUSTER, **TASK})
    [gone] = client("ecs").describe_services(cluster=stack["Cluster"], services=[arn])["services"]
    assert gone["status"] == "INACTIVE"
