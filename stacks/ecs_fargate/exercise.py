"""See the service work: ``make rehearse BLUEPRINT=ecs-fargate``, or ``make exercise`` on AWS.

On AWS it stops tasks, which the service replaces, and asks so much that it needs twice as many:
about a quarter of an hour, for less than a cent.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from threading import Event
from typing import Any

import pytest

from rehearsal.fixtures import Client, Eventually, Fetch

Description = dict[str, Any]
# As many at once keep a quarter of a processor busy.
CLIENTS = 24
# What ECS adds to the task definition it was given.
ADDED = {
    "compatibilities",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
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
def task(ecs: Any, outputs: dict[str, str]) -> Description:
    """The task definition that the stack registered."""
    return dict(
        ecs.describe_task_definition(taskDefinition=outputs["TaskDefinitionArn"])["taskDefinition"]
    )


@pytest.fixture(scope="module")
def containers(task: Description) -> dict[str, Description]:
    """Its containers, by name."""
    return {each["name"]: each for each in task["containerDefinitions"]}


@pytest.fixture(scope="module")
def service(ecs: Any, cluster: str, outputs: dict[str, str]) -> Callable[[], Description]:
    """Describe the service."""

    def describe() -> Description:
        [found] = ecs.describe_services(cluster=cluster, services=[outputs["ServiceName"]])[
            "services"
        ]
        return dict(found)

    return describe


@pytest.fixture(scope="module")
def page(fetch: Fetch, outputs: dict[str, str]) -> Callable[[], Description | None]:
    """Ask for the page that the side-car writes and the web container serves."""

    def ask() -> Description | None:
        answer = fetch(f"http://{outputs['DnsName']}/fargate/")
        return dict(json.loads(answer.body)) if answer.status == 200 else None

    return ask


@pytest.fixture
def running(ecs: Any, cluster: str, outputs: dict[str, str]) -> Callable[[], set[str]]:
    """The ids of the service's tasks, once they are as many as it wants."""

    def find() -> set[str]:
        ecs.get_waiter("services_stable").wait(
            cluster=cluster,
            services=[outputs["ServiceName"]],
            WaiterConfig={"Delay": 5, "MaxAttempts": 120},
        )
        arns = ecs.list_tasks(
            cluster=cluster, serviceName=outputs["ServiceName"], desiredStatus="RUNNING"
        )["taskArns"]
        return {arn.split("/")[-1] for arn in arns}

    return find


@pytest.fixture
def stop_a_task(
    ecs: Any, cluster: str, running: Callable[[], set[str]], eventually: Eventually
) -> Callable[[], str]:
    """Stop a task by hand and wait until it is gone and replaced: its id."""

    def stop() -> str:
        before = running()
        stopped = min(before)
        ecs.stop_task(cluster=cluster, task=stopped, reason="The exercise")

        def replaced() -> bool:
            # For a while ECS counts the task that it has been told to stop.
            now = running()
            return stopped not in now and len(now) >= len(before)

        eventually(replaced, within=300)
        return stopped

    return stop


@contextmanager
def load(ask: Callable[[], object]) -> Iterator[None]:
    """Ask from many sides, over and over."""
    done = Event()

    def keep_asking() -> None:
        while not done.is_set():
            try:
                ask()
            except (OSError, HTTPException):
                done.wait(1)

    with ThreadPoolExecutor(CLIENTS) as clients:
        for _ in range(CLIENTS):
            clients.submit(keep_asking)
        try:
            yield
        finally:
            done.set()


@pytest.mark.concept("ecs.task-definition")
def test_the_task_definition_is_a_json_document_about_containers_and_their_volumes(
    task: Description, containers: dict[str, Description]
) -> None:
    assert containers.keys() == {"Web", "SideCar"}
    assert json.loads(json.dumps(task["containerDefinitions"])) == task["containerDefinitions"]
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("256", "512", "awsvpc")
    assert task["requiresCompatibilities"] == ["FARGATE"]
    assert task["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    for container in containers.values():
        assert container["image"].startswith("public.ecr.aws/")
        assert container["healthCheck"]["command"][0] == "CMD-SHELL"
        assert container["logConfiguration"]["logDriver"] == "awslogs"
        assert container["readonlyRootFilesystem"] is True
    assert [each["containerPort"] for each in containers["Web"]["portMappings"]] == [8080]


@pytest.mark.concept("ecs.task-definition")
def test_a_changed_task_definition_is_the_next_revision_and_the_old_one_stays(
    ecs: Any, task: Description
) -> None:
    changed = {name: value for name, value in task.items() if name not in ADDED and value}
    changed["memory"] = "1024"
    registered = ecs.register_task_definition(**changed)["taskDefinition"]
    try:
        # Numbers that were given to revisions that are gone are not given again.
        assert registered["revision"] > task["revision"]
        assert registered["memory"] == "1024"
        old = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])
        assert (old["taskDefinition"]["status"], old["taskDefinition"]["memory"]) == (
            "ACTIVE",
            "512",
        )
        latest = ecs.describe_task_definition(taskDefinition=task["family"])["taskDefinition"]
        assert latest["taskDefinitionArn"] == registered["taskDefinitionArn"]
    finally:
        arn = registered["taskDefinitionArn"]
        ecs.deregister_task_definition(taskDefinition=arn)
        ecs.delete_task_definitions(taskDefinitions=[arn])


def test_two_containers_share_a_volume_and_the_other_volume_is_a_folder_of_efs(
    client: Client, task: Description, containers: dict[str, Description]
) -> None:
    volumes = {volume["name"]: volume.get("efsVolumeConfiguration") for volume in task["volumes"]}
    mounts = {
        name: {mount["sourceVolume"]: mount["readOnly"] for mount in container["mountPoints"]}
        for name, container in containers.items()
    }
    assert mounts == {"Web": {"page": True, "kept": False}, "SideCar": {"page": False}}
    assert volumes["page"] is None

    kept = volumes["kept"]
    assert kept["transitEncryption"] == kept["authorizationConfig"]["iam"] == "ENABLED"
    [folder] = client("efs").describe_access_points(
        AccessPointId=kept["authorizationConfig"]["accessPointId"]
    )["AccessPoints"]
    assert folder["FileSystemId"] == kept["fileSystemId"]
    assert folder["RootDirectory"]["Path"] == "/ecs-fargate"
    assert (folder["PosixUser"]["Uid"], folder["PosixUser"]["Gid"]) == (1000, 1000)


def test_requests_for_its_path_are_forwarded_to_the_services_tasks(
    client: Client, outputs: dict[str, str], service: Callable[[], Description]
) -> None:
    [rule] = client("elbv2").describe_rules(RuleArns=[outputs["RuleArn"]])["Rules"]
    [condition] = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == ["/fargate", "/fargate/*"]
    assert [each["TargetGroupArn"] for each in rule["Actions"]] == [outputs["TargetsArn"]]

    [balanced] = service()["loadBalancers"]
    assert balanced == {
        "targetGroupArn": outputs["TargetsArn"],
        "containerName": "Web",
        "containerPort": 8080,
    }


def test_nobody_opens_a_shell_in_a_container_and_a_failed_deployment_is_taken_back(
    ecs: Any, cluster: str, service: Callable[[], Description]
) -> None:
    described = service()
    assert described["enableExecuteCommand"] is False
    breaker = described["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert (breaker["enable"], breaker["rollback"]) == (True, True)

    [found] = ecs.describe_clusters(clusters=[cluster], include=["SETTINGS"])["clusters"]
    assert {"name": "containerInsights", "value": "disabled"} in found["settings"]
    [strategy] = described["capacityProviderStrategy"]
    assert strategy["capacityProvider"] in found["capacityProviders"]
    assert strategy["capacityProvider"] in {"FARGATE", "FARGATE_SPOT"}


@pytest.mark.aws_only
@pytest.mark.concept("ecs.orchestrator")
def test_the_service_replaces_a_task_that_was_stopped_by_hand(
    running: Callable[[], set[str]],
    stop_a_task: Callable[[], str],
    service: Callable[[], Description],
) -> None:
    before = running()

    stopped = stop_a_task()

    assert len(running()) == service()["desiredCount"] == len(before)
    assert stopped in before - running()


@pytest.mark.aws_only
@pytest.mark.concept("ecs.launch-type-fargate")
def test_tasks_run_and_there_is_no_instance_to_look_after(
    ecs: Any, cluster: str, running: Callable[[], set[str]]
) -> None:
    assert running()
    assert ecs.list_container_instances(cluster=cluster)["containerInstanceArns"] == []


@pytest.mark.aws_only
@pytest.mark.concept("ecs.bind-mount", "alb.containers")
def test_the_web_container_serves_what_the_side_car_of_its_task_goes_on_writing(
    page: Callable[[], Description | None],
    running: Callable[[], set[str]],
    eventually: Eventually,
) -> None:
    tasks = running()
    first = eventually(page, within=120)["page"]
    assert first["task"] in tasks

    def written_anew() -> bool:
        now = page()
        return now is not None and now["page"]["written_at"] > first["written_at"]

    eventually(written_anew)


@pytest.mark.aws_only
@pytest.mark.concept("ecs.efs-volume")
def test_a_task_finds_what_the_one_before_left_on_efs(
    page: Callable[[], Description | None],
    stop_a_task: Callable[[], str],
    running: Callable[[], set[str]],
    eventually: Eventually,
) -> None:
    stopped = stop_a_task()

    def of_a_successor() -> Description | None:
        now = page()
        return now if now and now["page"]["task"] != stopped else None

    now = eventually(of_a_successor, within=300)
    assert now["page"]["task"] in running()
    assert {stopped, now["page"]["task"]} <= set(now["tasks"])


@pytest.mark.aws_only
@pytest.mark.concept("ecs.auto-scaling")
def test_under_load_the_service_wants_as_many_tasks_as_it_may_have(
    client: Client,
    ecs: Any,
    cluster: str,
    outputs: dict[str, str],
    page: Callable[[], Description | None],
    service: Callable[[], Description],
    eventually: Eventually,
) -> None:
    scaling, most = client("application-autoscaling"), int(outputs["MaximumTasks"])
    resource = f"service/{cluster}/{outputs['ServiceName']}"
    [target] = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])[
        "ScalableTargets"
    ]
    assert target["MaxCapacity"] == most > target["MinCapacity"]

    try:
        with load(page):
            eventually(lambda: service()["desiredCount"] == most, within=900)
        activities = scaling.describe_scaling_activities(
            ServiceNamespace="ecs", ResourceId=resource
        )["ScalingActivities"]
        assert f"Setting desired count to {most}." in {each["Description"] for each in activities}
    finally:
        ecs.update_service(
            cluster=cluster, service=outputs["ServiceName"], desiredCount=target["MinCapacity"]
        )
