"""What CloudFormation makes of scheduled actions, as Auto Scaling then describes them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rehearsal.extension.auto_scaling import next_start
from tests.rehearsal.extension.conftest import Client, Deploy, Resources

MONDAY = datetime(2026, 11, 23, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recurrence", "time_zone", "start"),
    [
        ("0 17 * * FRI", "Etc/UTC", datetime(2026, 11, 27, 17, tzinfo=UTC)),
        ("0 17 * * 5", "Europe/Berlin", datetime(2026, 11, 27, 16, tzinfo=UTC)),
        ("30 12 * * *", "Etc/UTC", datetime(2026, 11, 24, 12, 30, tzinfo=UTC)),
        ("31 * * * *", "Etc/UTC", datetime(2026, 11, 23, 12, 31, tzinfo=UTC)),
        ("0 0,13 * * *", "Etc/UTC", datetime(2026, 11, 23, 13, tzinfo=UTC)),
        ("0 8 1 7 *", "Europe/Berlin", datetime(2027, 7, 1, 6, tzinfo=UTC)),
        ("0 0 * * SUN", "Etc/UTC", datetime(2026, 11, 29, tzinfo=UTC)),
    ],
)
def test_the_next_start_is_the_first_minute_that_all_fields_name(
    recurrence: str, time_zone: str, start: datetime
) -> None:
    assert next_start(recurrence, time_zone, MONDAY) == start


@pytest.mark.parametrize(
    ("recurrence", "words"), [("*/5 * * * *", r"and not '\*/5'"), ("0 0 31 2 *", "no minute")]
)
def test_what_it_cannot_work_out_it_does_not_make_up(recurrence: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        next_start(recurrence, "Etc/UTC", MONDAY)


def test_a_scheduled_action_tells_when_it_happens_next_and_follows_the_template(
    deploy: Deploy, client: Client
) -> None:
    def scheduled(recurrence: str, **more: Any) -> Resources:
        return {
            "Group": {
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": {
                    "MinSize": "0",
                    "MaxSize": "4",
                    "AvailabilityZones": ["us-east-1a"],
                    "LaunchTemplate": {"LaunchTemplateName": "server", "Version": "1"},
                },
            },
            "Action": {
                "Type": "AWS::AutoScaling::ScheduledAction",
                "Properties": {
                    "AutoScalingGroupName": {"Ref": "Group"},
                    "Recurrence": recurrence,
                    **more,
                },
            },
        }

    stack = deploy(scheduled("0 17 * * FRI", MinSize=2, TimeZone="Europe/Berlin"))
    autoscaling, group = client("autoscaling"), stack["Group"]

    def described() -> list[dict[str, Any]]:
        answer = autoscaling.describe_scheduled_actions(AutoScalingGroupName=group)
        actions: list[dict[str, Any]] = answer["ScheduledUpdateGroupActions"]
        return actions

    [action] = described()
    start = action["StartTime"].astimezone(ZoneInfo("Europe/Berlin"))
    assert (start.isoweekday(), start.hour, start.minute) == (5, 17, 0)
    assert (action["MinSize"], action["TimeZone"]) == (2, "Europe/Berlin")
    assert action["ScheduledActionName"] == stack["Action"]
    assert "MaxSize" not in action

    stack.update(scheduled("0 5 * * SAT", MaxSize=3))

    [action] = described()
    assert (action["StartTime"].isoweekday(), action["StartTime"].hour) == (6, 5)
    assert (action["Recurrence"], action["MaxSize"]) == ("0 5 * * SAT", 3)
    stack.delete()
    assert described() == []
