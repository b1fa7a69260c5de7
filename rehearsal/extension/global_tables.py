"""A global table of DynamoDB in the words of a table, which is what each of its replicas is."""

from collections.abc import Mapping
from typing import Any

from rehearsal.extension import ministack

Properties = Mapping[str, Any]


def as_table(properties: Properties) -> dict[str, Any]:
    """Properties of either type in the words of ``CreateTable`` and of ``AWS::DynamoDB::Table``."""
    table = dict(properties)
    # The replicas of a global table hold the settings; the one of this region is this table.
    for replica in table.pop("Replicas", []):
        if replica["Region"] == ministack.region():
            table |= {name: value for name, value in replica.items() if name != "Region"}
            table["GlobalSecondaryIndexes"] = _indexes(properties, replica)
            if encryption := properties.get("SSESpecification"):
                table["SSESpecification"] = {**encryption, **replica.get("SSESpecification", {})}
            table |= _capacity(properties, replica, table.get("BillingMode"))
    if encryption := table.get("SSESpecification"):
        table["SSESpecification"] = {**encryption, "Enabled": encryption.get("SSEEnabled", True)}
    if stream := table.get("StreamSpecification"):
        table["StreamSpecification"] = {**stream, "StreamEnabled": True}
    for empty in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if not table.get(empty):
            table.pop(empty, None)
    return table


def _indexes(properties: Properties, replica: Properties) -> list[dict[str, Any]]:
    of_replica = {index["IndexName"]: index for index in replica.get("GlobalSecondaryIndexes", [])}
    return [
        {
            **index,
            **of_replica.get(index["IndexName"], {}),
            **_capacity(
                index, of_replica.get(index["IndexName"], {}), properties.get("BillingMode")
            ),
        }
        for index in properties.get("GlobalSecondaryIndexes", [])
    ]


def _capacity(written: Properties, read: Properties, billing: str | None) -> dict[str, Any]:
    """The capacity of a global table or its index, whose writing and reading are set apart."""
    if billing == "PAY_PER_REQUEST":
        most = {
            **written.get("WriteOnDemandThroughputSettings", {}),
            **written.get("ReadOnDemandThroughputSettings", {}),
            **read.get("ReadOnDemandThroughputSettings", {}),
        }
        return {"OnDemandThroughput": most} if most else {}
    return {
        "ProvisionedThroughput": {
            "ReadCapacityUnits": _initial_capacity(
                {
                    **written.get("ReadProvisionedThroughputSettings", {}),
                    **read.get("ReadProvisionedThroughputSettings", {}),
                },
                "Read",
            ),
            "WriteCapacityUnits": _initial_capacity(
                written.get("WriteProvisionedThroughputSettings", {}), "Write"
            ),
        }
    }


def _initial_capacity(settings: Properties, kind: str) -> int:
    scaling = settings.get(f"{kind}CapacityAutoScalingSettings", {})
    seed = scaling.get("SeedCapacity", scaling.get("MinCapacity", 5))
    return int(settings.get(f"{kind}CapacityUnits", seed))
