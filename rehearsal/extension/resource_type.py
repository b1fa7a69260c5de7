"""One resource type as CloudFormation handles it: create, update in place or replace, delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rehearsal.extension import ministack
from rehearsal.extension.schemas import schema_of

Attributes = dict[str, Any]
Created = tuple[str, Attributes]


class InvalidPropertiesError(ValueError):
    """The properties of a resource that CloudFormation would refuse; the reason of its event."""


@dataclass(frozen=True)
class Request:
    """What CloudFormation asks for: one resource of one stack, every reference resolved."""

    resource_type: str
    logical_id: str
    properties: Mapping[str, Any]
    stack: str


class ResourceType(Protocol):
    """How resources of one type come and go.

    One that has an attribute ``replacing``, a set of properties, is replaced when one of these
    changes, even where its schema does not say so.
    """

    def create(self, request: Request) -> Created:
        """Make the resource; its physical id, and its attributes by their GetAtt names."""

    def update(self, physical_id: str, old: Mapping[str, Any], request: Request) -> Attributes:
        """Change the resource in place; its new attributes."""

    def delete(self, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Take the resource away; one that is gone already is no error."""


def refuse_violations(request: Request, *, lenient: bool = False) -> None:
    """Check a request against the official schema of its type.

    Raises:
        InvalidPropertiesError: With every violation and where it is.
    """
    violations = schema_of(request.resource_type).violations(request.properties, lenient=lenient)
    if violations:
        raise InvalidPropertiesError(
            f"Properties validation failed for resource {request.logical_id} "
            f"({request.resource_type}): {'; '.join(violations)}"
        )


def handler(name: str, resource_type: ResourceType) -> ministack.Handler:
    """MiniStack's view of a resource type: validated, and replaced when it must be."""

    def create(logical_id: str, properties: Mapping[str, Any], stack: str) -> Created:
        request = Request(name, logical_id, properties, stack)
        refuse_violations(request)
        return _complete(resource_type.create(request), request)

    def update(
        physical_id: str,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        stack: str,
        logical_id: str,
    ) -> Created:
        request = Request(name, logical_id, new, stack)
        refuse_violations(request)
        also: frozenset[str] = getattr(resource_type, "replacing", frozenset())
        if schema_of(name).replaces(old, new, also):
            # The engine deletes the predecessor of a resource that changes its id.
            return _complete(resource_type.create(request), request)
        return _complete((physical_id, resource_type.update(physical_id, old, request)), request)

    return {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": resource_type.delete,
    }


def _complete(created: Created, request: Request) -> Created:
    """With the attributes that are plain properties, which some types let GetAtt read."""
    physical_id, attributes = created
    return physical_id, {**plain_attributes(request), **attributes}


def plain_attributes(request: Request) -> Attributes:
    """The properties of a request that are attributes as well."""
    return {
        name: request.properties[name]
        for name in schema_of(request.resource_type).attributes
        if isinstance(request.properties.get(name), str | int)
    }
