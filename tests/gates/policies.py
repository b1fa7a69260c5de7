"""Every IAM statement of a template, wherever it stands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.gates.resources import Resource, listed, walk


@dataclass(frozen=True)
class Statement:
    """One statement, with the resource whose property holds it."""

    resource: Resource
    body: dict[str, Any]

    @property
    def allows(self) -> bool:
        """Whether it grants anything at all."""
        return bool(self.body["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        """As in ``sqs:SendMessage``."""
        return [text(action) for action in listed(self.body.get("Action", []))]

    @property
    def resources(self) -> list[str]:
        """ARNs, with ``<...>`` for what only CloudFormation knows."""
        return [text(arn) for arn in listed(self.body.get("Resource", []))]

    @property
    def principals(self) -> list[str]:
        """Of a resource policy or a trust policy; empty in an identity's own policy."""
        principal = self.body.get("Principal", {})
        if not isinstance(principal, dict):
            return [text(principal)]
        return [text(one) for several in principal.values() for one in listed(several)]

    @property
    def condition_keys(self) -> set[str]:
        """As in ``aws:sourcearn``: IAM does not distinguish case."""
        conditions = self.body.get("Condition", {}).values()
        return {key.lower() for condition in conditions for key in condition}


def statements(resource: Resource) -> Iterator[Statement]:
    """The statements of every policy document in a resource's properties.

    Some types take a document as JSON text, which may be put together by CloudFormation.
    """
    for key, value in walk(resource.properties):
        written = text(value)
        document = json.loads(written) if "Policy" in key and written.startswith("{") else value
        if isinstance(document, dict) and "Statement" in document:
            for body in listed(document["Statement"]):
                if isinstance(body, dict) and "Effect" in body:
                    yield Statement(resource, body)


def text(value: Any) -> str:
    """A string of a template, with ``<...>`` for what only CloudFormation knows; else nothing."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]} if isinstance(parts, list):
            return str(separator).join(text(part) for part in parts)
        case {"Fn::Sub": [str(template), *_]} | {"Fn::Sub": str(template)}:
            return template.replace("${", "<").replace("}", ">")
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
            return f"<{next(iter(value))}>"
    return ""
