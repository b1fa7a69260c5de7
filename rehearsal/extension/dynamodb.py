"""DynamoDB's tables, made and changed through DynamoDB's own interface.

MiniStack's CloudFormation writes them into DynamoDB's records without time to live, backups,
contributor insights, streaming to Kinesis, table class or policy. There is no auto scaling: a table
that asks for it has the capacity that it would start with.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.extension import loopback, ministack
from rehearsal.extension.global_tables import as_table
from rehearsal.extension.names import generated_name
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call

Properties = Mapping[str, Any]

_IN_UPDATE_TABLE = (
    "BillingMode",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "SSESpecification",
    "StreamSpecification",
    "TableClass",
)
_WHEN_LEFT_OUT = {
    "DeletionProtectionEnabled": False,
    "SSESpecification": {"Enabled": False},
    "StreamSpecification": {"StreamEnabled": False},
    "TableClass": "STANDARD",
    "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1},
}


class Table:
    """``AWS::DynamoDB::Table`` and ``AWS::DynamoDB::GlobalTable`` alike."""

    replacing = frozenset({"KeySchema", "LocalSecondaryIndexes"})

    def create(self, request: Request) -> Created:
        """Create the table, then what DynamoDB takes only for a table that exists."""
        table = as_table(request.properties)
        table.setdefault("TableName", generated_name(request, longest=255))
        call(_dynamodb(), "create_table", table)
        _update_replicas(table["TableName"], {}, request.properties)
        _apply_settings(table["TableName"], {}, table)
        return table["TableName"], _attributes(table["TableName"])

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        """Change the table, with one call per kind of change as DynamoDB demands."""
        before, after = as_table(old), as_table(request.properties)
        _update_table(physical_id, before, after)
        _update_indexes(physical_id, before, after)
        _update_tags(physical_id, before, after)
        _update_replicas(physical_id, old, request.properties)
        _apply_settings(physical_id, before, after)
        return _attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the table, which DynamoDB refuses if it is protected against that."""
        try:
            _dynamodb().delete_table(TableName=physical_id)
        except ClientError as error:
            if not loopback.is_gone(error):
                raise


def _dynamodb() -> Any:
    return loopback.client("dynamodb")


def _attributes(name: str) -> Attributes:
    table = _dynamodb().describe_table(TableName=name)["Table"]
    attributes = {"Arn": table["TableArn"], "TableId": table["TableId"]}
    if "LatestStreamArn" in table:
        attributes["StreamArn"] = table["LatestStreamArn"]
    return attributes


def _update_table(name: str, before: Properties, after: Properties) -> None:
    changes = {
        setting: after.get(setting, _WHEN_LEFT_OUT.get(setting))
        for setting in _IN_UPDATE_TABLE
        if before.get(setting) != after.get(setting)
    }
    if changes.get("BillingMode", "") is None:
        changes["BillingMode"] = "PROVISIONED"
    if after.get("BillingMode") == "PAY_PER_REQUEST":
        changes.pop("ProvisionedThroughput", None)
    if changes:
        call(_dynamodb(), "update_table", {"TableName": name, **changes})


def _update_indexes(name: str, before: Properties, after: Properties) -> None:
    old, new = (
        {index["IndexName"]: _without_settings(index) for index in indexes}
        for indexes in (
            before.get("GlobalSecondaryIndexes", []),
            after.get("GlobalSecondaryIndexes", []),
        )
    )
    actions = [{"Delete": {"IndexName": gone}} for gone in old if old[gone] != new.get(gone)]
    actions += [{"Create": new[come]} for come in new if new[come] != old.get(come)]
    for action in actions:
        call(
            _dynamodb(),
            "update_table",
            {
                "TableName": name,
                "AttributeDefinitions": after["AttributeDefinitions"],
                "GlobalSecondaryIndexUpdates": [action],
            },
        )


def _without_settings(index: Properties) -> dict[str, Any]:
    return {name: value for name, value in index.items() if name in _OF_AN_INDEX}


_OF_AN_INDEX = {
    "IndexName",
    "KeySchema",
    "OnDemandThroughput",
    "Projection",
    "ProvisionedThroughput",
}


def _update_replicas(name: str, old: Properties, new: Properties) -> None:
    before, after = (
        {replica["Region"] for replica in properties.get("Replicas", [])} - {ministack.region()}
        for properties in (old, new)
    )
    actions = [{"Delete": {"RegionName": gone}} for gone in sorted(before - after)]
    actions += [{"Create": {"RegionName": come}} for come in sorted(after - before)]
    for action in actions:
        _dynamodb().update_table(TableName=name, ReplicaUpdates=[action])


def _update_tags(name: str, before: Properties, after: Properties) -> None:
    old, new = (
        {tag["Key"]: tag["Value"] for tag in table.get("Tags", [])} for table in (before, after)
    )
    arn = _attributes(name)["Arn"]
    if dropped := sorted(old.keys() - new.keys()):
        _dynamodb().untag_resource(ResourceArn=arn, TagKeys=dropped)
    if added := [{"Key": key, "Value": new[key]} for key in new if old.get(key) != new[key]]:
        _dynamodb().tag_resource(ResourceArn=arn, Tags=added)


def _apply_settings(name: str, before: Properties, after: Properties) -> None:
    """Time to live, backups, insights, streaming, policy: each has calls of its own."""
    _set_time_to_live(name, before, after)
    if before.get("PointInTimeRecoverySpecification") != after.get(
        "PointInTimeRecoverySpecification"
    ):
        recovery = {"PointInTimeRecoveryEnabled": False}
        recovery |= after.get("PointInTimeRecoverySpecification", {})
        call(
            _dynamodb(),
            "update_continuous_backups",
            {"TableName": name, "PointInTimeRecoverySpecification": recovery},
        )
    _set_insights({"TableName": name}, before, after)
    indexes = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes", [])}
    for index in after.get("GlobalSecondaryIndexes", []):
        target = {"TableName": name, "IndexName": index["IndexName"]}
        _set_insights(target, indexes.get(index["IndexName"], {}), index)
    _set_streaming(name, before, after)
    _set_policy(name, before, after)


def _set_time_to_live(name: str, before: Properties, after: Properties) -> None:
    old, new = (table.get("TimeToLiveSpecification") for table in (before, after))
    if old == new:
        return
    specification = {**(old or {}), "Enabled": False} if new is None else new
    if old or _is_true(specification["Enabled"]):
        call(
            _dynamodb(),
            "update_time_to_live",
            {"TableName": name, "TimeToLiveSpecification": specification},
        )


def _set_insights(target: dict[str, str], before: Properties, after: Properties) -> None:
    old, new = (_insights(table) for table in (before, after))
    if old != new:
        action = {"ContributorInsightsAction": "ENABLE" if new else "DISABLE"}
        _dynamodb().update_contributor_insights(**target, **action)


def _insights(settings: Properties) -> bool:
    return _is_true(settings.get("ContributorInsightsSpecification", {}).get("Enabled", False))


def _set_streaming(name: str, before: Properties, after: Properties) -> None:
    old, new = (
        table.get("KinesisStreamSpecification", {}).get("StreamArn") for table in (before, after)
    )
    if old and old != new:
        _dynamodb().disable_kinesis_streaming_destination(TableName=name, StreamArn=old)
    if new and old != new:
        _dynamodb().enable_kinesis_streaming_destination(TableName=name, StreamArn=new)


def _set_policy(name: str, before: Properties, after: Properties) -> None:
    old, new = (table.get("ResourcePolicy", {}).get("PolicyDocument") for table in (before, after))
    arn = _attributes(name)["Arn"]
    if new and new != old:
        call(_dynamodb(), "put_resource_policy", {"ResourceArn": arn, "Policy": new})
    elif old and not new:
        _dynamodb().delete_resource_policy(ResourceArn=arn)


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


EMULATED: dict[str, ResourceType] = {
    "AWS::DynamoDB::Table": Table(),
    "AWS::DynamoDB::GlobalTable": Table(),
}
