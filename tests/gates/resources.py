"""Every resource of an assembly, under the path its author knows it by."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.assembly import Assembly


@dataclass(frozen=True)
class Resource:
    """One resource of one template.

    Attributes:
        stack: The stack's id, as in ``cdk deploy sqs``.
        logical_id: Its key in the template.
        path: Its construct's path, as in ``sqs/Orders``.
        body: What the template says of it.
    """

    stack: str
    logical_id: str
    path: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path} ({self.type})"

    @property
    def type(self) -> str:
        """As in ``AWS::SQS::Queue``."""
        return str(self.body["Type"])

    @property
    def properties(self) -> dict[str, Any]:
        """Empty when it has none."""
        properties: dict[str, Any] = self.body.get("Properties", {})
        return properties

    def is_in(self, value: Any) -> bool:
        """Whether ``value`` is a reference to this resource: its ``Ref`` or one attribute."""
        return value == {"Ref": self.logical_id} or (
            isinstance(value, dict)
            and set(value) == {"Fn::GetAtt"}
            and value["Fn::GetAtt"][0] == self.logical_id
        )


def resources(assembly: Assembly) -> list[Resource]:
    """Every resource of every template."""
    return [
        Resource(stack, logical_id, paths.get(logical_id, f"{stack}/{logical_id}"), body)
        for stack, template in assembly.stacks.items()
        for paths in [_paths(assembly, stack)]
        for logical_id, body in template.body["Resources"].items()
    ]


def example(resource_type: str, *, name: str = "Thing", **body: Any) -> Resource:
    """A resource to show a gate biting on, in a stack ``shop``.

    Args:
        resource_type: As in ``AWS::SQS::Queue``.
        name: Its logical id and the end of its path.
        body: What else the template says of it; anything unknown to templates is a property.
    """
    attributes = {"DeletionPolicy", "UpdateReplacePolicy", "DependsOn"}
    properties = {key: value for key, value in body.items() if key not in attributes}
    return Resource(
        "shop",
        name,
        f"shop/{name}",
        {
            "Type": resource_type,
            "Properties": properties,
            **{key: value for key, value in body.items() if key in attributes},
        },
    )


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside ``value``, itself included, each with the key it stands under."""
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from walk(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, key)


def listed(value: Any) -> list[Any]:
    """Templates may leave out the brackets around a single item."""
    return value if isinstance(value, list) else [value]


def _paths(assembly: Assembly, stack: str) -> dict[str, str]:
    # Templates carry no paths (cdk.json: pathMetadata), and a nested stack has no metadata file.
    file = assembly.path / f"{stack}.metadata.json"
    metadata = json.loads(file.read_text()) if file.exists() else {}
    return {
        entry["data"]: path.strip("/").removesuffix("/Resource")
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:logicalId"
    }
