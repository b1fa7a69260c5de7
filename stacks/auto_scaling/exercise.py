"""See the group scale: ``make rehearse BLUEPRINT=auto-scaling``, or ``make exercise`` once on AWS.

On AWS it starts, stops and replaces instances, which takes up to an hour and costs a few cents. In
the end the group has as many servers as before.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Fetch
from rehearsal.systems_manager import run_command

MINUTE = 60.0
FRIDAY = 4
# Both virtual processors, until half an hour later at the latest.
BURN = (
    "systemd-run --unit=burn --property=RuntimeMaxSec=1800 sh -c 'yes >/dev/null & yes >/dev/null'"
)

Description = dict[str, Any]


class Group:
    """The deployed group, and what one can do to it."""

    def __init__(self, client: Client, outputs: dict[str, str], eventually: Eventually) -> None:
        """Know it by the stack's outputs."""
        self.name = outputs["GroupName"]
        self._targets = outputs["TargetsArn"]
        self._autoscaling, self._elb = client("autoscaling"), client("elbv2")
        self._ssm, self._eventually = client("ssm"), eventually

    def described(self) -> Description:
        """What EC2 Auto Scaling says of it."""
        [group] = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])[
            "AutoScalingGroups"
        ]
        return dict(group)

    def policies(self, kind: str) -> list[Description]:
        """Its policies of one type."""
        policies: list[Description] = self._autoscaling.describe_policies(
            AutoScalingGroupName=self.name
        )["ScalingPolicies"]
        return [policy for policy in policies if policy["PolicyType"] == kind]

    def schedule(self) -> dict[str, Description]:
        """What is to happen, by recurrence."""
        actions = self._autoscaling.describe_scheduled_actions(AutoScalingGroupName=self.name)
        return {each["Recurrence"]: each for each in actions["ScheduledUpdateGroupActions"]}

    def in_service(self) -> set[str]:
        """The instances that it takes for good."""
        return {
            instance["InstanceId"]
            for instance in self.described()["Instances"]
            if (instance["LifecycleState"], instance["HealthStatus"]) == ("InService", "Healthy")
        }

    def registered(self, *states: str) -> set[str]:
        """The targets of its target group that are in one of these states."""
        health = self._elb.describe_target_health(TargetGroupArn=self._targets)
        return {
            each["Target"]["Id"]
            for each in health["TargetHealthDescriptions"]
            if each["TargetHealth"]["State"] in states
        }

    def desire(self, size: int) -> set[str]:
        """Have so many instances, in service and behind the load balancer."""
        self._autoscaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=size)
        return self.settled(size)

    def settled(self, size: int) -> set[str]:
        """Its instances, as soon as there are so many in service and behind the load balancer."""

        def complete() -> bool:
            return (
                len(self.in_service()) == size and self.registered("healthy") == self.in_service()
            )

        self._eventually(complete, within=10 * MINUTE)
        return self.in_service()

    def causes(self, since: datetime) -> list[str]:
        """Why it has scaled since then."""
        activities = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=self.name)
        return [each["Cause"] for each in activities["Activities"] if each["StartTime"] >= since]

    @contextlib.contextmanager
    def left_alone(self) -> Iterator[None]:
        """No alarm scales it for a while."""
        processes = {"AutoScalingGroupName": self.name, "ScalingProcesses": ["AlarmNotification"]}
        self._autoscaling.suspend_processes(**processes)
        try:
            yield
        finally:
            self._autoscaling.resume_processes(**processes)

    def run(self, instance: str, command: str) -> None:
        """Run a shell command on an instance, as root, through Systems Manager."""
        run_command(self._ssm, self._eventually, instance, command)


@pytest.fixture
def group(client: Client, outputs: dict[str, str], eventually: Eventually) -> Group:
    """The deployed group."""
    return Group(client, outputs, eventually)


@pytest.fixture
def servers(group: Group) -> Iterator[set[str]]:
    """As few instances as the group may have; in the end it has as many as before."""
    before = group.described()["DesiredCapacity"]
    try:
        yield group.desire(max(1, group.described()["MinSize"]))
    finally:
        group.desire(before)


@pytest.fixture
def answers(fetch: Fetch, outputs: dict[str, str]) -> Callable[[], set[str]]:
    """Who answers through the load balancer: instances by id, and failures by their status."""

    def ask() -> set[str]:
        answers = [fetch(outputs["Url"]) for _ in range(10)]
        return {each.body.strip() if each.status == 200 else str(each.status) for each in answers}

    return ask


@pytest.mark.concept("asg.scheduled")
def test_the_minimum_is_next_raised_on_a_friday_at_five_in_that_time_zone(
    group: Group, outputs: dict[str, str]
) -> None:
    friday, saturday = (group.schedule()[when] for when in ("0 17 * * FRI", "0 5 * * SAT"))
    start = friday["StartTime"].astimezone(ZoneInfo(outputs["TimeZone"]))

    assert friday["TimeZone"] == outputs["TimeZone"]
    assert (start.weekday(), start.hour, start.minute) == (FRIDAY, 17, 0)
    assert start - datetime.now(UTC) <= timedelta(days=7, hours=1)
    assert saturday["MinSize"] < friday["MinSize"] <= group.described()["MaxSize"]


@pytest.mark.concept("asg.target-tracking")
def test_the_target_comes_with_alarms_that_nobody_declared(group: Group, client: Client) -> None:
    [policy] = group.policies("TargetTrackingScaling")
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    alarms = client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]

    target = policy["TargetTrackingConfiguration"]["TargetValue"]
    [high] = (each for each in alarms if "-AlarmHigh-" in each["AlarmName"])
    [low] = (each for each in alarms if "-AlarmLow-" in each["AlarmName"])
    assert high["MetricName"] == low["MetricName"] == "CPUUtilization"
    assert high["Threshold"] == target > low["Threshold"]
    assert high["AlarmActions"] == low["AlarmActions"] == [policy["PolicyARN"]]


def test_the_group_has_a_policy_of_every_kind(group: Group) -> None:
    [step], [simple], [predictive] = (
        group.policies(kind) for kind in ("StepScaling", "SimpleScaling", "PredictiveScaling")
    )

    assert [each["ScalingAdjustment"] for each in step["StepAdjustments"]] == [1, 2]
    assert (simple["ScalingAdjustment"], simple["Cooldown"]) == (1, 300)
    assert predictive["PredictiveScalingConfiguration"]["Mode"] == "ForecastOnly"


@pytest.mark.aws_only
@pytest.mark.concept("asg.target-group-registration")
def test_instances_are_registered_as_they_come_and_deregistered_as_they_go(
    group: Group, servers: set[str], eventually: Eventually
) -> None:
    with group.left_alone():
        more = group.desire(len(servers) + 1)
        assert servers < more == group.registered("healthy")

        group.desire(len(servers))
        eventually(lambda: len(group.registered("healthy", "draining")) == len(servers), within=300)


@pytest.mark.aws_only
@pytest.mark.concept("asg.lb-sends-to-target-group")
def test_an_instance_whose_web_server_stops_is_replaced_and_requests_succeed_again(
    group: Group, servers: set[str], answers: Callable[[], set[str]], eventually: Eventually
) -> None:
    with group.left_alone():
        group.desire(len(servers) + 1)
        broken = min(servers)
        eventually(lambda: broken in answers(), within=60)

        group.run(broken, "systemctl stop web")
        eventually(lambda: broken in group.registered("unhealthy", "draining"), within=120)
        eventually(lambda: broken not in group.in_service(), within=10 * MINUTE)
        replaced = group.settled(len(servers) + 1)
        assert broken not in replaced
        eventually(lambda: answers() <= replaced, within=120)


@pytest.mark.aws_only
@pytest.mark.concept("asg.target-tracking")
def test_busy_processors_bring_another_instance(
    group: Group, servers: set[str], eventually: Eventually
) -> None:
    started = datetime.now(UTC)
    for server in servers:
        group.run(server, BURN)

    try:
        eventually(
            lambda: (
                group.described()["DesiredCapacity"] > len(servers)
                and any("-AlarmHigh-" in cause for cause in group.causes(started))
            ),
            within=30 * MINUTE,
        )
    finally:
        for server in servers & group.in_service():
            group.run(server, "systemctl stop burn")


@pytest.mark.aws_only
@pytest.mark.concept("asg.step-scaling")
def test_an_alarm_adds_as_many_instances_as_the_step_says(
    group: Group,
    servers: set[str],
    client: Client,
    outputs: dict[str, str],
    eventually: Eventually,
) -> None:
    started = datetime.now(UTC)
    [alarm] = client("cloudwatch").describe_alarms(AlarmNames=[outputs["ManyRequestsName"]])[
        "MetricAlarms"
    ]
    client("cloudwatch").set_alarm_state(
        AlarmName=alarm["AlarmName"],
        StateValue="ALARM",
        StateReason="The exercise says so",
        # By how much the threshold is exceeded is what chooses the step.
        StateReasonData=json.dumps(
            {
                "version": "1.0",
                "queryDate": f"{started:%Y-%m-%dT%H:%M:%S.000+0000}",
                "statistic": alarm["Statistic"],
                "period": alarm["Period"],
                "recentDatapoints": [alarm["Threshold"] + 1],
                "threshold": alarm["Threshold"],
            }
        ),
    )

    eventually(
        lambda: any(alarm["AlarmName"] in cause for cause in group.causes(started)),
        within=5 * MINUTE,
    )
    group.settled(len(servers) + 1)


@pytest.mark.aws_only
@pytest.mark.concept("asg.simple-scaling")
def test_the_simple_policy_is_refused_until_it_has_cooled_down(
    group: Group, servers: set[str], client: Client, outputs: dict[str, str]
) -> None:
    policy = {"AutoScalingGroupName": group.name, "PolicyName": outputs["ByLatencyName"]}
    # What was done by hand before may still be cooling down.
    client("autoscaling").execute_policy(**policy, HonorCooldown=False)
    group.settled(len(servers) + 1)

    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        client("autoscaling").execute_policy(**policy, HonorCooldown=True)


@pytest.mark.aws_only
@pytest.mark.concept("asg.predictive")
def test_a_forecast_takes_a_day_of_statistics(
    group: Group, client: Client, outputs: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    ask = {
        "AutoScalingGroupName": group.name,
        "PolicyName": outputs["ByForecastName"],
        "StartTime": now,
        "EndTime": now + timedelta(days=1),
    }
    # The first one is made within hours of the first day.
    if now - group.described()["CreatedTime"] < timedelta(days=2):
        with pytest.raises(ClientError, match="ValidationError"):
            client("autoscaling").get_predictive_scaling_forecast(**ask)
        return
    [load] = client("autoscaling").get_predictive_scaling_forecast(**ask)["LoadForecast"]
    times = load["Timestamps"]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(hours=1)}


@pytest.mark.aws_only
def test_a_refresh_replaces_every_instance(
    group: Group, servers: set[str], client: Client, eventually: Eventually
) -> None:
    with group.left_alone():
        started = client("autoscaling").start_instance_refresh(
            AutoScalingGroupName=group.name,
            Preferences={"MinHealthyPercentage": 0, "SkipMatching": False},
        )["InstanceRefreshId"]

        def status() -> str:
            [refresh] = client("autoscaling").describe_instance_refreshes(
                AutoScalingGroupName=group.name, InstanceRefreshIds=[started]
            )["InstanceRefreshes"]
            return str(refresh["Status"])

        eventually(lambda: status() == "Successful", within=20 * MINUTE)
        assert not servers & group.settled(len(servers))


@pytest.mark.aws_only
def test_nobody_gets_more_than_the_maximum(group: Group) -> None:
    with pytest.raises(ClientError, match="above max value"):
        group.desire(group.described()["MaxSize"] + 1)
