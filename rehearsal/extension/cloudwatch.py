"""CloudWatch's composite alarms, which watch other alarms."""

from dataclasses import dataclass

from rehearsal.extension import loopback
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Created, Request, ResourceType
from rehearsal.extension.shapes import call


@dataclass(frozen=True)
class _CompositeAlarm(Emulated):
    """An alarm whose ARN the service tells only when asked."""

    def create(self, request: Request) -> Created:
        name, _ = super().create(request)
        described = loopback.client("cloudwatch").describe_alarms(
            AlarmNames=[name], AlarmTypes=["CompositeAlarm"]
        )
        return name, self.with_attributes(
            name, {"Arn": described["CompositeAlarms"][0]["AlarmArn"]}
        )


def _put_alarm(physical_id: str, old: Properties, request: Request) -> None:
    call(
        loopback.client("cloudwatch"),
        "put_composite_alarm",
        {**request.properties, "AlarmName": physical_id},
    )


EMULATED: dict[str, ResourceType] = {
    "AWS::CloudWatch::CompositeAlarm": _CompositeAlarm(
        service="cloudwatch",
        create_operation="put_composite_alarm",
        identifier="Parameters.AlarmName",
        named_by="AlarmName",
        change=_put_alarm,
        delete_operation="delete_alarms",
        delete_parameters={"AlarmNames": "[Id]"},
    ),
}
