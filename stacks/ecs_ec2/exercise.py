"""See tasks find their places: ``make rehearse BLUEPRINT=ecs-ec2``, or ``make exercise`` on AWS.

On AWS it runs two instances for some minutes, for about a cent, and ends them again.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rehearsal.fixtures import Client, Eventually

Description = dict[str, Any]
TASKS = 4
# By service: the type and the field of each.
STRATEGIES = {
    "Binpack": [("binpack", "memory")],
    "Random": [("random", "")],
    "Spread": [("spread", "attribute:ecs.availability-zone"), ("spread", "instanceid")],
}


@pytest.fixture(scope="module")
def ecs(client: Client) -> Any:
    """ECS's client."""
    return client("ecs")


@pytest.fixture(scope="module")
def cluster(outputs: dict[str, str]) -> str:
    """The cluster's name."""
    return outputs["ClusterName"]


@pytest.fixture(scope="module")
def group(client: Client, outputs: dict[str, str]) -> Callable[[], Description]:
    """Describe the group of instances."""

    def describe() -> Description:
        [found] = client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[outputs["GroupName"]]
        )["AutoScalingGroups"]
        return dict(found)

    return describe


@pytest.fixture(scope="module")
def service(ecs: Any, cluster: str, outputs: dict[str, str]) -> Callable[[str], Description]:
    """Describe one of the three services: ``Binpack``, ``Random``, ``Spread``."""

    def describe(name: str) -> Description:
        [found] = ecs.describe_services(cluster=cluster, services=[outputs[f"{name}ServiceName"]])[
            "services"
        ]
        return dict(found)

    return describe


@pytest.fixture(scope="module")
def instances(ecs: Any, cluster: str) -> Callable[[], list[Description]]:
    """Describe the instances that are registered with the cluster and take tasks."""

    def describe() -> list[Description]:
        arns = ecs.list_container_instances(cluster=cluster, status="ACTIVE")
        if not arns["containerInstanceArns"]:
            return []
        found: list[Description] = ecs.describe_container_instances(
            cluster=cluster, containerInstances=arns["containerInstanceArns"]
        )["containerInstances"]
        return [each for each in found if each["agentConnected"]]

    return describe


@pytest.fixture(scope="module")
def two_instances(
    client: Client,
    outputs: dict[str, str],
    instances: Callable[[], list[Description]],
    eventually: Eventually,
) -> Iterator[list[Description]]:
    """Two instances in the cluster, whatever its tasks need."""
    autoscaling, name = client("autoscaling"), outputs["GroupName"]
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=2)
    try:
        eventually(lambda: len(instances()) == 2, within=600)
        yield instances()
    finally:
        autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, DesiredCapacity=0
        )
        eventually(lambda: not instances(), within=900)


@pytest.fixture
def places(
    ecs: Any,
    cluster: str,
    outputs: dict[str, str],
    two_instances: list[Description],
    eventually: Eventually,
) -> Iterator[Callable[[str], Counter[str]]]:
    """Run four tasks of a service: how many of them each of two empty instances has."""
    used: list[str] = []

    def running(service: str) -> list[str]:
        arns: list[str] = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        return arns

    def run(name: str) -> Counter[str]:
        service = outputs[f"{name}ServiceName"]
        used.append(service)
        ecs.update_service(cluster=cluster, service=service, desiredCount=TASKS)
        ecs.get_waiter("services_stable").wait(cluster=cluster, services=[service])
        tasks = ecs.describe_tasks(cluster=cluster, tasks=running(service))["tasks"]
        return Counter(task["containerInstanceArn"] for task in tasks)

    yield run
    for service in used:
        ecs.update_service(cluster=cluster, service=service, desiredCount=0)
    eventually(lambda: not any(running(service) for service in used), within=180)


def test_the_capacity_provider_scales_the_group_and_drains_what_it_gives_up(
    ecs: Any, outputs: dict[str, str], group: Callable[[], Description]
) -> None:
    [provider] = ecs.describe_capacity_providers(
        capacityProviders=[outputs["CapacityProviderName"]]
    )["capacityProviders"]

    capacity = provider["autoScalingGroupProvider"]
    assert capacity["autoScalingGroupArn"] == group()["AutoScalingGroupARN"]
    assert capacity["managedScaling"]["status"] == "ENABLED"
    assert capacity["managedScaling"]["targetCapacity"] == 100
    assert capacity["managedDraining"] == "ENABLED"
    assert capacity["managedTerminationProtection"] == "DISABLED"


def test_the_cluster_may_use_the_capacity_provider_and_every_service_does(
    ecs: Any, cluster: str, outputs: dict[str, str], service: Callable[[str], Description]
) -> None:
    name = outputs["CapacityProviderName"]
    [described] = ecs.describe_clusters(clusters=[cluster])["clusters"]
    assert described["capacityProviders"] == [name]

    for each in STRATEGIES:
        [strategy] = service(each)["capacityProviderStrategy"]
        assert (strategy["capacityProvider"], strategy["weight"]) == (name, 1)


def test_the_group_grows_to_two_instances_and_shrinks_to_none(
    group: Callable[[], Description],
) -> None:
    assert (group()["MinSize"], group()["MaxSize"]) == (0, 2)
    assert group()["NewInstancesProtectedFromScaleIn"] is False


def test_an_instance_answers_its_containers_no_questions_about_its_credentials(
    client: Client, group: Callable[[], Description]
) -> None:
    template = group()["LaunchTemplate"]
    [version] = client("ec2").describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"]

    options = version["LaunchTemplateData"]["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_service_tells_by_which_strategy_it_places_its_tasks(
    service: Callable[[str], Description], name: str
) -> None:
    told = service(name)["placementStrategy"]

    assert [(each["type"], each.get("field", "").lower()) for each in told] == STRATEGIES[name]


def test_a_service_takes_back_a_deployment_that_cannot_succeed(
    service: Callable[[str], Description],
) -> None:
    for name in STRATEGIES:
        breaker = service(name)["deploymentConfiguration"]["deploymentCircuitBreaker"]
        assert (breaker["enable"], breaker["rollback"]) == (True, True)


@pytest.mark.aws_only
@pytest.mark.concept("ecs.launch-type-ec2")
def test_every_container_instance_is_an_instance_of_ones_own_with_an_agent_to_keep_current(
    client: Client, two_instances: list[Description], group: Callable[[], Description]
) -> None:
    ids = {each["ec2InstanceId"] for each in two_instances}
    assert ids == {each["InstanceId"] for each in group()["Instances"]}

    reservations = client("ec2").describe_instances(InstanceIds=sorted(ids))["Reservations"]
    described = [each for found in reservations for each in found["Instances"]]
    assert {each["State"]["Name"] for each in described} == {"running"}
    assert {each["Architecture"] for each in described} == {"arm64"}
    assert all(each["versionInfo"]["agentVersion"] for each in two_instances)


@pytest.mark.aws_only
@pytest.mark.concept("ecs.placement-binpack")
def test_binpack_puts_four_tasks_on_one_of_two_instances(
    places: Callable[[str], Counter[str]],
) -> None:
    assert list(places("Binpack").values()) == [TASKS]


@pytest.mark.aws_only
@pytest.mark.concept("ecs.placement-random")
def test_random_puts_four_tasks_anywhere(
    places: Callable[[str], Counter[str]], two_instances: list[Description]
) -> None:
    found = places("Random")

    assert found.total() == TASKS
    assert set(found) <= {each["containerInstanceArn"] for each in two_instances}


@pytest.mark.aws_only
@pytest.mark.concept("ecs.placement-spread")
def test_spread_puts_two_of_four_tasks_on_each_of_two_instances(
    places: Callable[[str], Counter[str]],
) -> None:
    assert sorted(places("Spread").values()) == [2, 2]
