"""What a resource type demands, from the official schemas that ship with cfn-lint.

The copies inside the installed package are read, never the newer ones cfn-lint may have
downloaded for this user: a rehearsal gives the same verdict on every machine.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import cfnlint
from cfnlint.jsonschema import StandardValidator
from cfnlint.schema import Schema
from cfnlint.schema.manager import ProviderSchemaManager

Properties = Mapping[str, Any]

# Schemas differ between regions in which types exist, hardly ever in what these demand.
_REGION = "us-east-1"
_SHIPPED = Path(cfnlint.__file__).parent / "data" / "schemas"
_shipped = ProviderSchemaManager(_SHIPPED / "providers", _SHIPPED / "resources")


@functools.cache
def resource_types() -> frozenset[str]:
    """Every resource type that CloudFormation has, without SAM's."""
    return frozenset(
        name
        for name in _shipped.get_resource_types(_REGION)
        if name.startswith("AWS::") and not name.startswith("AWS::Serverless::")
    )


class ResourceSchema:
    """What one resource type takes and gives.

    Paths are dotted, the way ``Fn::GetAtt`` names attributes: ``Endpoint.Address``.
    """

    def __init__(self, resource_type: str) -> None:
        self._source: Schema = _shipped.get_resource_schema(_REGION, resource_type)
        schema = self._source.schema
        self.type = resource_type
        self.required: frozenset[str] = frozenset(schema.get("required", []))
        self.identifier = _dotted(schema.get("primaryIdentifier", []))
        self.read_only = frozenset(_dotted(schema.get("readOnlyProperties", [])))
        self.create_only = frozenset(_dotted(schema.get("createOnlyProperties", [])))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names that ``Fn::GetAtt`` takes."""
        return tuple(name for name in self._source.get_atts if "*" not in name)

    @property
    def properties(self) -> frozenset[str]:
        """The names of all properties, those it only gives included."""
        return frozenset(self._source.schema["properties"])

    def node(self, path: str) -> dict[str, Any]:
        """The schema of the property or attribute at ``path``; empty if there is none."""
        node: dict[str, Any] = self._source.schema
        for name in path.split("."):
            node = self._resolved(node.get("properties", {}).get(name, {}))
        return node

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = functools.reduce(
                lambda inner, key: inner[key],
                node["$ref"].removeprefix("#/").split("/"),
                self._source.schema,
            )
        return node

    def replaces(self, old: Properties, new: Properties, also: Set[str] = frozenset()) -> bool:
        """Whether going from ``old`` to ``new`` takes a new resource.

        Args:
            old: The properties there are.
            new: The properties there are to be.
            also: Properties that count as create-only although the schema does not say so.
        """
        return any(_value(old, path) != _value(new, path) for path in self.create_only | also)

    def violations(self, properties: Properties, *, lenient: bool = False) -> list[str]:
        """Why CloudFormation would refuse these resolved properties; empty if it would not.

        Args:
            properties: With every reference resolved.
            lenient: Leave patterns aside. CDK's bootstrap template hands MiniStack lists with an
                empty string in them, which real CloudFormation drops.
        """
        plain = json.loads(json.dumps(properties, default=str))
        return [
            *self._read_only_properties(properties),
            *(
                f"#/{'/'.join(map(str, error.path))}: {error.message}"
                for error in StandardValidator(self._source.schema).iter_errors(plain)
                if _counts(error, lenient)
            ),
        ]

    def _read_only_properties(self, properties: Properties) -> Iterator[str]:
        for name in sorted(properties.keys() & self.read_only - self.required):
            yield f"#/{name}: is read-only"


@functools.cache
def schema_of(resource_type: str) -> ResourceSchema:
    """The schema of a type in ``resource_types``; parsed when first asked for."""
    return ResourceSchema(resource_type)


class CreateOnly:
    """The properties of a type whose change takes a new resource, looked up when asked.

    MiniStack asks by the name of a whole property; a change within one is for
    ``ResourceSchema.replaces`` to find.
    """

    def __init__(self, resource_type: str) -> None:
        self._resource_type = resource_type

    def __contains__(self, name: object) -> bool:
        """Whether a change of the property takes a new resource."""
        return name in schema_of(self._resource_type).create_only


def _dotted(pointers: list[str]) -> tuple[str, ...]:
    return tuple(pointer.removeprefix("/properties/").replace("/", ".") for pointer in pointers)


def _value(properties: Properties, path: str) -> Any:
    value: Any = properties
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _counts(error: Any, lenient: bool) -> bool:
    """Whether CloudFormation, which casts scalars, would hold this error against a template."""
    if error.validator == "pattern" and lenient:
        return False
    if error.validator == "type":
        return not _castable(error.instance, error.validator_value)
    if error.validator in ("anyOf", "oneOf") and error.context:
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        return all(any(_counts(inner, lenient) for inner in found) for found in branches.values())
    return True


def _castable(value: Any, expected: str | list[str]) -> bool:
    types = {expected} if isinstance(expected, str) else set(expected)
    if isinstance(value, bool | int | float):
        return "string" in types
    if not isinstance(value, str):
        return False
    return (
        (bool(types & {"integer", "number"}) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None)
        or ("boolean" in types and value.lower() in ("true", "false"))
        or ("object" in types and value.lstrip().startswith("{"))
    )
