"""Scheduled actions of Auto Scaling: when they happen next, which MiniStack does not work out."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.extension import loopback
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.resource_type import Request
from rehearsal.extension.shapes import call

_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTES_OF_A_YEAR = 366 * 24 * 60


def next_start(recurrence: str, time_zone: str, now: datetime) -> datetime:
    """The first minute after ``now`` that five fields of cron name, by the clock of a time zone.

    Raises:
        ValueError: If none does within a year, or a field has more than numbers and weekdays.
    """
    fields = [_values(field) for field in recurrence.upper().split()]
    local = now.astimezone(ZoneInfo(time_zone)).replace(second=0, microsecond=0)
    for minutes in range(1, _MINUTES_OF_A_YEAR):
        # Local times are added to as a clock on the wall shows them.
        at = local + timedelta(minutes=minutes)
        parts = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
        if all(not values or part in values for part, values in zip(parts, fields, strict=True)):
            return at.astimezone(UTC)
    raise ValueError(f"the rehearsal finds no minute within a year that '{recurrence}' names")


def _values(field: str) -> set[int]:
    """What a field of cron asks for; nothing for any."""
    if field == "*":
        return set()
    try:
        return {
            _WEEKDAYS.index(part) if part in _WEEKDAYS else int(part) for part in field.split(",")
        }
    except ValueError:
        raise ValueError(
            f"the rehearsal knows numbers, weekdays and commas in cron, and not '{field}'"
        ) from None


def _start(name: str, old: Properties, request: Request) -> None:
    given: dict[str, Any] = dict(request.properties)
    if "Recurrence" not in given or "StartTime" in given:
        return
    start = next_start(given["Recurrence"], given.get("TimeZone", "Etc/UTC"), datetime.now(UTC))
    call(
        loopback.client("autoscaling"),
        "put_scheduled_update_group_action",
        {**given, "ScheduledActionName": name, "StartTime": start},
    )


COMPLETIONS = {"AWS::AutoScaling::ScheduledAction": Completion(_start)}
