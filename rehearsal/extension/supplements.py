"""What MiniStack's EC2 takes but does not give back, put into its descriptions.

MiniStack answers some properties of EC2 resources with nothing, or with what most of them have: a
NAT gateway without addresses, a network ACL entry without ports. What CloudFormation was told is
kept here and put into the answers, so that a client reads what it would read from AWS.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

from rehearsal.extension.asgi import (
    Application,
    Message,
    Receive,
    Send,
    answer_of,
    is_signed_for,
    operation_of,
    read,
)

Element = ElementTree.Element

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class _Description(NamedTuple):
    """Where the answer to an operation has resources: all items, and what identifies each."""

    items: str
    identify: Callable[[Element], str]


def _text_of(name: str) -> Callable[[Element], str]:
    return lambda item: item.findtext(f"{{*}}{name}", "")


_DESCRIPTIONS = {
    "DescribeNatGateways": _Description("natGatewaySet/item", _text_of("natGatewayId")),
    "DescribeInstances": _Description(
        "reservationSet/item/instancesSet/item", _text_of("instanceId")
    ),
    "DescribeNetworkInterfaces": _Description(
        "networkInterfaceSet/item", _text_of("networkInterfaceId")
    ),
    "DescribeVolumes": _Description("volumeSet/item", _text_of("volumeId")),
    "DescribeFlowLogs": _Description("flowLogSet/item", _text_of("flowLogId")),
    "DescribeVpcEndpoints": _Description("vpcEndpointSet/item", _text_of("vpcEndpointId")),
    "DescribeNetworkAcls": _Description("networkAclSet/item", _text_of("networkAclId")),
}

_supplements: dict[str, Mapping[str, Any]] = {}


def put(identifier: str, fields: Mapping[str, Any]) -> None:
    """Keep what a resource's description is to say, by the names its XML has.

    Args:
        identifier: Of the resource, which no account or region shares with another.
        fields: Texts, booleans, numbers; mappings and lists of them; None to say nothing at all.
    """
    _supplements[identifier] = fields


def remove(identifier: str) -> None:
    """Forget a resource."""
    _supplements.pop(identifier, None)


def supplementing(app: Application) -> Application:
    """Have the descriptions that ``app`` gives of EC2's resources say what was ``put``."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if not is_signed_for("ec2", scope):
            await app(scope, receive, send)
            return
        body = await read(receive)
        answer = await answer_of(app, scope, body)
        if answer.succeeded:
            answer.body = supplemented(operation_of(body), answer.body)
        await answer.send(send)

    return wrapped


def supplemented(operation: str, answer: bytes) -> bytes:
    """EC2's answer to an operation, with what was ``put`` about the resources in it."""
    if operation == "DescribeInstanceAttribute":
        return _with_attribute(answer)
    if operation not in _DESCRIPTIONS:
        return answer
    root = ElementTree.fromstring(answer)
    description = _DESCRIPTIONS[operation]
    for item in root.iterfind(_path(description.items)):
        identifier = description.identify(item)
        _supplement(item, identifier)
        for entry in item.iterfind(_path("entrySet/item")):
            _supplement(entry, entry_identifier(identifier, *_direction_and_number(entry)))
    return _serialized(root)


def entry_identifier(network_acl: str, egress: bool, rule_number: int) -> str:
    """What an entry of a network ACL is ``put`` under."""
    return f"{network_acl}/{'egress' if egress else 'ingress'}/{rule_number}"


def _direction_and_number(entry: Element) -> tuple[bool, int]:
    return _text_of("egress")(entry) == "true", int(_text_of("ruleNumber")(entry))


def _with_attribute(answer: bytes) -> bytes:
    """One attribute of an instance, which is asked for by name."""
    root = ElementTree.fromstring(answer)
    fields = _supplements.get(f"{_text_of('instanceId')(root)}/attributes", {})
    for name in fields:
        if root.find(_path(name)) is not None:
            _set(root, name, {"value": fields[name]})
    return _serialized(root)


def _supplement(item: Element, identifier: str) -> None:
    for name, value in _supplements.get(identifier, {}).items():
        _set(item, name, value)


def _path(names: str) -> str:
    return "/".join(f"{{*}}{name}" for name in names.split("/"))


def _serialized(root: Element) -> bytes:
    ElementTree.register_namespace("", _NAMESPACE)
    serialized: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return serialized


def _set(parent: Element, name: str, value: Any) -> None:
    for present in parent.findall(f"{{*}}{name}"):
        parent.remove(present)
    if value is not None:
        parent.append(_element(name, value))


def _element(name: str, value: Any) -> Element:
    element = Element(f"{{{_NAMESPACE}}}{name}")
    if isinstance(value, Mapping):
        element.extend(_element(inner, value[inner]) for inner in value)
    elif isinstance(value, list):
        element.extend(_element("item", inner) for inner in value)
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)
    return element
