"""Resource types made by the service that MiniStack emulates: rows of calls to its API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jmespath
from botocore.exceptions import ClientError

from rehearsal.extension import loopback, ministack, supplements
from rehearsal.extension.names import generated_name
from rehearsal.extension.resource_type import Attributes, Created, Request
from rehearsal.extension.shapes import call

Properties = Mapping[str, Any]


class _Made(NamedTuple):
    parameters: dict[str, Any]
    attributes: Attributes
    tag_id: str


@dataclass(frozen=True)
class Emulated:
    """A resource type, as the calls that make it, change it and take it away.

    Args:
        service: As boto3 names it.
        create: The operation, as boto3 names it. Properties become its parameters by name.
        identifier: JMESPath to the physical id, in a document of ``Parameters`` (what was sent) and
            ``Answer``.
        delete: The operation; empty for what goes away with something else.
        delete_parameters: Its parameters, each a JMESPath in a document of ``Id``, ``Properties``
            and ``Attributes``.
        attributes: GetAtt names, as JMESPath like ``identifier``.
        renamed: Properties whose parameter has another name; to the empty string: no parameter.
        named_by: The parameter that takes a name, made up where the template gives none.
        tagged: JMESPath like ``identifier`` to the id that EC2 keeps the resource's tags under.
        parameters: Parameters in addition to the properties, which they override.
        change: Applies changed properties in place, given the id, the old ones and the request.
            Tags of EC2 need none. Without it a change that does not replace is refused.
        supplement: What EC2's description of the resource lacks, given the request and the
            parameters it was made with; see ``supplements``.
        described: Properties that only the supplement tells, so that a new one changes them.
    """

    service: str
    create_operation: str
    identifier: str
    delete_operation: str = ""
    delete_parameters: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    named_by: str = ""
    tagged: str = ""
    parameters: Callable[[Request], Properties] = lambda request: {}
    change: Callable[[str, Properties, Request], None] | None = None
    supplement: Callable[[Request, Properties], Properties] | None = None
    described: frozenset[str] = frozenset()
    _made: "dict[tuple[str, str, str], _Made]" = field(default_factory=dict, init=False)

    def create(self, request: Request) -> Created:
        """Make the resource through its service."""
        parameters = self._parameters(request)
        answer = call(loopback.client(self.service), self.create_operation, parameters)
        document = {"Parameters": parameters, "Answer": answer}
        physical_id = str(jmespath.search(self.identifier, document))
        attributes = {
            name: jmespath.search(path, document) for name, path in self.attributes.items()
        }
        tag_id = jmespath.search(self.tagged, document) if self.tagged else ""
        made = _Made(parameters, attributes, tag_id)
        self._made[_key(physical_id)] = made
        if self.tagged:
            _retag(made.tag_id, [], request.properties.get("Tags", []))
        self._supplement(physical_id, request, made)
        return physical_id, attributes

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        """Apply what changed; attributes stay."""
        made = self._made[_key(physical_id)]
        changed = {
            name
            for name in old.keys() | request.properties.keys()
            if old.get(name) != request.properties.get(name)
        }
        if self.tagged:
            _retag(made.tag_id, old.get("Tags", []), request.properties.get("Tags", []))
            changed.discard("Tags")
        changed -= self.described
        if changed and self.change:
            self.change(physical_id, old, request)
        elif changed:
            raise ValueError(
                f"{request.resource_type}: the rehearsal cannot change "
                f"{', '.join(sorted(changed))} of an existing resource, which AWS could"
            )
        self._supplement(physical_id, request, made)
        return made.attributes

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Take the resource away through its service."""
        made = self._made.pop(_key(physical_id), None)
        document = {
            "Id": physical_id,
            "Properties": properties,
            "Attributes": made.attributes if made else {},
        }
        parameters = {
            name: jmespath.search(path, document) for name, path in self.delete_parameters.items()
        }
        if self.delete_operation:
            try:
                call(loopback.client(self.service), self.delete_operation, parameters)
            except ClientError as error:
                if not loopback.is_gone(error):
                    raise
        supplements.remove(physical_id)

    def with_attributes(self, physical_id: str, more: Attributes) -> Attributes:
        """The attributes of a resource that was just made, and of it after every update."""
        attributes = self._made[_key(physical_id)].attributes
        attributes.update(more)
        return attributes

    def _parameters(self, request: Request) -> dict[str, Any]:
        given = {self.renamed.get(name, name): value for name, value in request.properties.items()}
        given.pop("", None)
        if "Tags" in given and not self.tagged:
            # Other services take no tags of CloudFormation's own from anybody but CloudFormation.
            given["Tags"] = [tag for tag in given["Tags"] if not tag["Key"].startswith("aws:")]
        if self.named_by and self.named_by not in given:
            given[self.named_by] = generated_name(request)
        return {**given, **self.parameters(request)}

    def _supplement(self, physical_id: str, request: Request, made: _Made) -> None:
        if self.supplement:
            supplements.put(physical_id, self.supplement(request, made.parameters))


def _key(physical_id: str) -> tuple[str, str, str]:
    return ministack.account(), ministack.region(), physical_id


def _retag(physical_id: str, old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    ec2 = loopback.client("ec2")
    kept = {tag["Key"] for tag in new}
    if dropped := [{"Key": tag["Key"]} for tag in old if tag["Key"] not in kept]:
        ec2.delete_tags(Resources=[physical_id], Tags=dropped)
    if added := [tag for tag in new if tag not in old]:
        ec2.create_tags(Resources=[physical_id], Tags=added)
