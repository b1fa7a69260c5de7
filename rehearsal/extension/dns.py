"""Route 53's zones and health checks, and the records whose location MiniStack leaves out."""

import uuid
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from botocore.exceptions import ClientError

from rehearsal.extension import loopback, ministack
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call

_LOCATION = "GeoProximityLocation"


class _HostedZone:
    """A zone; one that has VPCs is private, which MiniStack's CloudFormation overlooks."""

    def create(self, request: Request) -> Created:
        vpcs = request.properties.get("VPCs", [])
        answer = call(
            loopback.client("route53"),
            "create_hosted_zone",
            {
                **request.properties,
                "CallerReference": str(uuid.uuid4()),
                "VPC": vpcs[0] if vpcs else None,
            },
        )
        zone = answer["HostedZone"]["Id"].removeprefix("/hostedzone/")
        _associate(zone, vpcs[1:], [])
        servers = answer.get("DelegationSet", {}).get("NameServers", [])
        return zone, {"Id": zone, "NameServers": servers}

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        before, after = old.get("VPCs", []), request.properties.get("VPCs", [])
        _associate(
            physical_id,
            [vpc for vpc in after if vpc not in before],
            [vpc for vpc in before if vpc not in after],
        )
        comment = request.properties.get("HostedZoneConfig", {}).get("Comment", "")
        route53 = loopback.client("route53")
        route53.update_hosted_zone_comment(Id=physical_id, Comment=comment)
        described = route53.get_hosted_zone(Id=physical_id)
        servers = described.get("DelegationSet", {}).get("NameServers", [])
        return {"Id": physical_id, "NameServers": servers}

    def delete(self, physical_id: str, properties: Properties) -> None:
        try:
            loopback.client("route53").delete_hosted_zone(Id=physical_id)
        except ClientError as error:
            if not loopback.is_gone(error):
                raise


def _associate(zone: str, more: list[Properties], fewer: list[Properties]) -> None:
    route53 = loopback.client("route53")
    for vpc in more:
        route53.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=vpc)
    for vpc in fewer:
        route53.disassociate_vpc_from_hosted_zone(HostedZoneId=zone, VPC=vpc)


def _update_health_check(physical_id: str, old: Properties, request: Request) -> None:
    call(
        loopback.client("route53"),
        "update_health_check",
        {**request.properties["HealthCheckConfig"], "HealthCheckId": physical_id},
    )


EMULATED: dict[str, ResourceType] = {
    "AWS::Route53::HostedZone": _HostedZone(),
    "AWS::Route53::HealthCheck": Emulated(
        service="route53",
        create_operation="create_health_check",
        identifier="Answer.HealthCheck.Id",
        attributes={"HealthCheckId": "Answer.HealthCheck.Id"},
        parameters=lambda request: {"CallerReference": str(uuid.uuid4())},
        change=_update_health_check,
        delete_operation="delete_health_check",
        delete_parameters={"HealthCheckId": "Id"},
    ),
}


def install() -> None:
    """Have records keep the place that geoproximity routing measures from."""
    ministack.keep_of_records(
        given=lambda given: {_LOCATION: given[_LOCATION]} if _LOCATION in given else {},
        parse=_parse,
        write=_write,
    )


def _parse(record: Element) -> Properties:
    location = record.find(f"{{*}}{_LOCATION}")
    if location is None:
        return {}
    return {_LOCATION: _content(location)}


def _content(element: Element) -> Any:
    if not len(element):
        return element.text
    return {child.tag.rpartition("}")[2]: _content(child) for child in element}


def _write(element: Element, record: Properties) -> None:
    if _LOCATION in record:
        _append(element, _LOCATION, record[_LOCATION])


def _append(parent: Element, name: str, value: Any) -> None:
    element = SubElement(parent, name)
    if isinstance(value, dict):
        for inner in value:
            _append(element, inner, value[inner])
    else:
        element.text = str(value)
