"""What MiniStack's own resource types leave out, done through the same services afterwards.

Every one of them is also held to its official schema, which MiniStack itself does not do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import ministack
from rehearsal.extension.resource_type import (
    Created,
    Request,
    plain_attributes,
    refuse_violations,
)

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Completion:
    """What is missing after MiniStack has made, or changed, a resource, and before it goes.

    Args:
        finish: Given the physical id, the properties before (empty for a new resource), and the
            request; attributes that are missing or that MiniStack has wrong.
        before_delete: Given the physical id and the properties.
        prepare: Given the request for a new resource, the properties to make it with.
    """

    finish: Callable[[str, Properties, Request], Mapping[str, Any] | None]
    before_delete: Callable[[str, Properties], None] = lambda physical_id, properties: None
    prepare: Callable[[Request], Properties] = lambda request: request.properties


def completed(
    name: str, native: ministack.Handler, completion: Completion | None
) -> ministack.Handler:
    """A handler of MiniStack's, validated and with what it leaves out."""

    def finished(created: Created, old: Properties, request: Request) -> Created:
        physical_id, attributes = created
        better = completion.finish(physical_id, old, request) if completion else None
        return physical_id, {**plain_attributes(request), **(attributes or {}), **(better or {})}

    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        properties = _with_complete_tags(name, properties)
        request = Request(name, logical_id, properties, stack)
        refuse_violations(request, lenient=True)
        prepared = completion.prepare(request) if completion else properties
        return finished(native["create"](logical_id, prepared, stack), {}, request)

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str
    ) -> Created:
        new = _with_complete_tags(name, new)
        request = Request(name, logical_id, new, stack)
        refuse_violations(request, lenient=True)
        arguments = (physical_id, old, new, stack)
        if native.get("update_with_logical_id"):
            arguments = (*arguments, logical_id)  # type: ignore[assignment]
        return finished(native["update"](*arguments), old, request)

    def delete(physical_id: str, properties: Properties, *logical_id: str) -> None:
        if completion:
            completion.before_delete(physical_id, properties)
        native["delete"](physical_id, properties, *logical_id)

    wrapped = {**native, "create": create}
    if "update" in native:
        wrapped |= {"update": update, "update_with_logical_id": True}
    if "delete" in native:
        wrapped["delete"] = delete
    return wrapped


def _with_complete_tags(name: str, properties: Properties) -> Properties:
    """What MiniStack leaves out of the stack's own tags, where a resource's tags say more."""
    if name != "AWS::AutoScaling::AutoScalingGroup" or "Tags" not in properties:
        return properties
    # CloudFormation passes them on to the instances of a group.
    tags = [{"PropagateAtLaunch": True, **tag} for tag in properties["Tags"]]
    return {**properties, "Tags": tags}
