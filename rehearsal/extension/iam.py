"""IAM's groups, their members, and access keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import loopback
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.names import generated_name
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call


@dataclass(frozen=True)
class _Group(Emulated):
    """A group with its policies, which go before it does."""

    def create(self, request: Request) -> Created:
        name, attributes = super().create(request)
        _set_policies(name, {}, request.properties)
        return name, attributes

    def delete(self, physical_id: str, properties: Properties) -> None:
        _set_policies(physical_id, properties, {})
        super().delete(physical_id, properties)


def _set_policies(group: str, old: Properties, new: Properties) -> None:
    iam = loopback.client("iam")
    before, after = (_inline_policies(properties) for properties in (old, new))
    for name in before.keys() - after.keys():
        iam.delete_group_policy(GroupName=group, PolicyName=name)
    for name, document in after.items():
        call(
            iam,
            "put_group_policy",
            {"GroupName": group, "PolicyName": name, "PolicyDocument": document},
        )
    attached, wanted = (set(properties.get("ManagedPolicyArns", [])) for properties in (old, new))
    for arn in sorted(attached - wanted):
        iam.detach_group_policy(GroupName=group, PolicyArn=arn)
    for arn in sorted(wanted - attached):
        iam.attach_group_policy(GroupName=group, PolicyArn=arn)


def _inline_policies(properties: Properties) -> dict[str, Any]:
    return {
        policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])
    }


class _UserToGroupAddition:
    """Users in a group."""

    def create(self, request: Request) -> Created:
        for user in request.properties["Users"]:
            loopback.client("iam").add_user_to_group(
                GroupName=request.properties["GroupName"], UserName=user
            )
        name = generated_name(request)
        return name, {"Id": name}

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        self.delete(physical_id, old)
        self.create(request)
        return {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        for user in properties["Users"]:
            loopback.client("iam").remove_user_from_group(
                GroupName=properties["GroupName"], UserName=user
            )


def _change_key(physical_id: str, old: Properties, request: Request) -> None:
    given: Mapping[str, Any] = request.properties
    loopback.client("iam").update_access_key(
        UserName=given["UserName"],
        AccessKeyId=physical_id,
        Status=given.get("Status", "Active"),
    )


@dataclass(frozen=True)
class _AccessKey(Emulated):
    """A key that is active unless the template says otherwise."""

    def create(self, request: Request) -> Created:
        key, attributes = super().create(request)
        _change_key(key, {}, request)
        return key, attributes


EMULATED: dict[str, ResourceType] = {
    "AWS::IAM::Group": _Group(
        service="iam",
        create_operation="create_group",
        identifier="Answer.Group.GroupName",
        attributes={"Arn": "Answer.Group.Arn"},
        named_by="GroupName",
        change=lambda group, old, request: _set_policies(group, old, request.properties),
        delete_operation="delete_group",
        delete_parameters={"GroupName": "Id"},
    ),
    "AWS::IAM::UserToGroupAddition": _UserToGroupAddition(),
    "AWS::IAM::AccessKey": _AccessKey(
        service="iam",
        create_operation="create_access_key",
        identifier="Answer.AccessKey.AccessKeyId",
        attributes={
            "Id": "Answer.AccessKey.AccessKeyId",
            "SecretAccessKey": "Answer.AccessKey.SecretAccessKey",
        },
        change=_change_key,
        delete_operation="delete_access_key",
        delete_parameters={"UserName": "Properties.UserName", "AccessKeyId": "Id"},
    ),
}
