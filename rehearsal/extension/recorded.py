"""Resource types that nothing here emulates: checked, written down, and listed. Nothing more.

The record is kept by MiniStack's own Cloud Control API, so ``list-resources`` and
``get-resource`` show it, per account and region, marked as what it is. Attributes are made up so
that whoever refers to them deploys; host names end in ``.recorded.invalid``, which never resolves.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.extension import loopback, ministack
from rehearsal.extension.names import generated_name
from rehearsal.extension.resource_type import Attributes, Created, Request
from rehearsal.extension.schemas import ResourceSchema, schema_of

TIER_KEY = "rehearsal:tier"
"""Marks a record in Cloud Control as one: nobody shall take it for an emulated resource."""

_HOST_WORDS = ("endpoint", "address", "url", "dns", "domain", "host", "fqdn")


class Recorded:
    """A resource type that is recorded only.

    Raises:
        ValueError: On ``create``, if a resource of the same type and identifier is there already.
    """

    def __init__(self, resource_type: str) -> None:
        self._type = resource_type

    def create(self, request: Request) -> Created:
        """Record the resource under the identifier its schema names."""
        physical_id = _identifier(schema_of(self._type), request)
        attributes = self._attributes(physical_id, request)
        control = loopback.client("cloudcontrol")
        try:
            # MiniStack files a resource under its `Id`, whatever its schema says.
            control.create_resource(
                TypeName=self._type, DesiredState=json.dumps({"Id": physical_id})
            )
        except ClientError as error:
            if "AlreadyExists" not in error.response["Error"]["Code"]:
                raise
            raise ValueError(f"{self._type} {physical_id} already exists") from error
        self._write(physical_id, {"Id"}, request, attributes)
        return physical_id, attributes

    def update(self, physical_id: str, old: Mapping[str, Any], request: Request) -> Attributes:
        """Record the new properties under the same identifier; attributes do not change."""
        control = loopback.client("cloudcontrol")
        record = control.get_resource(TypeName=self._type, Identifier=physical_id)
        recorded = json.loads(record["ResourceDescription"]["Properties"])
        attributes = {
            **self._attributes(physical_id, request),
            **{name: recorded[name] for name in schema_of(self._type).read_only & recorded.keys()},
        }
        self._write(physical_id, set(recorded), request, attributes)
        return attributes

    def delete(self, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Forget the resource."""
        try:
            loopback.client("cloudcontrol").delete_resource(
                TypeName=self._type, Identifier=physical_id
            )
        except ClientError as error:
            if not loopback.is_gone(error):
                raise

    def _write(
        self, physical_id: str, present: set[str], request: Request, attributes: Attributes
    ) -> None:
        state = {TIER_KEY: "recorded", **attributes, **request.properties}
        patch: list[dict[str, Any]] = [
            {"op": "remove", "path": _pointer(name)} for name in sorted(present - state.keys())
        ]
        patch += [
            {"op": "add", "path": _pointer(name), "value": value} for name, value in state.items()
        ]
        loopback.client("cloudcontrol").update_resource(
            TypeName=self._type,
            Identifier=physical_id,
            PatchDocument=json.dumps(patch, default=str),
        )

    def _attributes(self, physical_id: str, request: Request) -> Attributes:
        schema = schema_of(self._type)
        invented = {
            path: _invented(schema, path, physical_id, request) for path in schema.attributes
        }
        # Ref and GetAtt of the same identifier agree, and a plain property may be asked for too.
        if len(schema.identifier) == 1:
            invented[schema.identifier[0]] = physical_id
        given = {
            name: value
            for name, value in request.properties.items()
            if isinstance(value, str | int)
        }
        return {**invented, **given}


def _identifier(schema: ResourceSchema, request: Request) -> str:
    """What ``Ref`` gives: the names the template chose, or ones made up as CloudFormation does."""
    return "|".join(_identifier_part(schema, path, request) for path in schema.identifier)


def _identifier_part(schema: ResourceSchema, path: str, request: Request) -> str:
    given = request.properties.get(path)
    if isinstance(given, str | int):
        return str(given)
    name = generated_name(request, longest=schema.node(path).get("maxLength", 64))
    if path.lower().endswith("arn"):
        return _arn(schema.type, name)
    pattern = schema.node(path).get("pattern")
    if pattern is None or re.search(pattern, name):
        return name
    return re.sub("[^a-z0-9-]", "-", name.lower())


def _arn(resource_type: str, name: str) -> str:
    _, service, kind = resource_type.split("::")
    where = f"{ministack.region()}:{ministack.account()}"
    return f"arn:aws:{service.lower()}:{where}:{kind.lower()}/{name}"


def _invented(schema: ResourceSchema, path: str, physical_id: str, request: Request) -> Any:
    """A value of the right type that says what it is, for an attribute nothing computes."""
    leaf = path.split(".")[-1]
    node = schema.node(path)
    kind = node.get("type")
    if kind == "array":
        return []
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return node.get("default", node.get("minimum", 1))
    if "enum" in node:
        return node["enum"][0]
    if leaf.lower().endswith("arn"):
        return physical_id if physical_id.startswith("arn:") else _arn(schema.type, physical_id)
    if any(word in leaf.lower() for word in _HOST_WORDS):
        return _host(schema, leaf, physical_id)
    return request.properties.get(leaf, physical_id)


def _host(schema: ResourceSchema, leaf: str, physical_id: str) -> str:
    label = re.sub("[^a-z0-9-]+", "-", physical_id.lower()).strip("-")[-63:].strip("-")
    host = f"{label}.{schema.type.split('::')[1].lower()}.recorded.invalid"
    return f"https://{host}" if "url" in leaf.lower() else host


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
