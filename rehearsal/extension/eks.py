"""EKS: add-ons of a cluster, and who may do what in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import loopback
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Created, Request, ResourceType
from rehearsal.extension.shapes import call

_OF_CLUSTER = {"clusterName": "Properties.ClusterName"}


def _associate(operation: str, given: Properties, policies: Sequence[Mapping[str, Any]]) -> None:
    for policy in policies:
        call(loopback.client("eks"), operation, {**given, **policy})


def _change_entry(physical_id: str, old: Properties, request: Request) -> None:
    new = request.properties
    before, after = old.get("AccessPolicies", []), new.get("AccessPolicies", [])
    kept = {policy["PolicyArn"] for policy in after}
    gone = [{"PolicyArn": p["PolicyArn"]} for p in before if p["PolicyArn"] not in kept]
    _associate("disassociate_access_policy", new, gone)
    _associate("associate_access_policy", new, after)
    call(loopback.client("eks"), "update_access_entry", new)


@dataclass(frozen=True)
class _AccessEntry(Emulated):
    """A principal, and the access policies that EKS keeps apart from it."""

    def create(self, request: Request) -> Created:
        created = super().create(request)
        policies = request.properties.get("AccessPolicies", [])
        _associate("associate_access_policy", request.properties, policies)
        return created


def _update_addon(physical_id: str, old: Properties, request: Request) -> None:
    call(loopback.client("eks"), "update_addon", request.properties)


EMULATED: dict[str, ResourceType] = {
    "AWS::EKS::AccessEntry": _AccessEntry(
        service="eks",
        create_operation="create_access_entry",
        identifier="join('|', [Parameters.PrincipalArn, Parameters.ClusterName])",
        attributes={"AccessEntryArn": "Answer.accessEntry.accessEntryArn"},
        change=_change_entry,
        delete_operation="delete_access_entry",
        delete_parameters={**_OF_CLUSTER, "principalArn": "Properties.PrincipalArn"},
    ),
    "AWS::EKS::Addon": Emulated(
        service="eks",
        create_operation="create_addon",
        identifier="join('|', [Parameters.ClusterName, Parameters.AddonName])",
        attributes={"Arn": "Answer.addon.addonArn"},
        change=_update_addon,
        delete_operation="delete_addon",
        delete_parameters={**_OF_CLUSTER, "addonName": "Properties.AddonName"},
    ),
}
