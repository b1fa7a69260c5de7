"""EC2's instances."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import loopback, supplements
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.network import private_address, subnet
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType

_OF_THE_SUPPLEMENT = frozenset(
    {
        "DisableApiTermination",
        "InstanceInitiatedShutdownBehavior",
        "InstanceType",
        "MetadataOptions",
        "Monitoring",
        "SecurityGroupIds",
        "SourceDestCheck",
        "UserData",
    }
)


def launch_settings(request: Request) -> dict[str, Any]:
    """The properties of an instance, over those of its launch template."""
    own = dict(request.properties)
    if template := own.pop("LaunchTemplate", None):
        own = {**_template_settings(template), **own}
    # One network interface in full says what the instance's own properties say otherwise.
    if interfaces := own.pop("NetworkInterfaces", None):
        primary = min(interfaces, key=lambda interface: int(interface["DeviceIndex"]))
        own = {**own, **primary, "SecurityGroupIds": primary.get("GroupSet", [])}
    return own


def _template_settings(template: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        name: template[name]
        for name in ("LaunchTemplateId", "LaunchTemplateName")
        if name in template
    }
    versions = loopback.client("ec2").describe_launch_template_versions(
        **parameters, Versions=[str(template["Version"])]
    )["LaunchTemplateVersions"]
    settings: dict[str, Any] = versions[0]["LaunchTemplateData"]
    if profile := settings.pop("IamInstanceProfile", None):
        settings["IamInstanceProfile"] = profile.get("Name") or profile["Arn"].split("/")[-1]
    return settings


def _parameters(request: Request) -> Properties:
    settings = launch_settings(request)
    profile = settings.pop("IamInstanceProfile", None)
    return {
        **settings,
        "MinCount": 1,
        "MaxCount": 1,
        "Monitoring": {"Enabled": _monitoring(settings)},
        "PrivateIpAddress": settings.get("PrivateIpAddress")
        or ("SubnetId" in settings and private_address(settings["SubnetId"]))
        or None,
        "IamInstanceProfile": {"Name": profile} if profile else None,
        # MiniStack would keep it to itself: the supplement tells it.
        "UserData": None,
        "Tags": None,
        "NetworkInterfaces": None,
        "LaunchTemplate": None,
    }


def _supplement(request: Request, parameters: Properties) -> Properties:
    settings = launch_settings(request)
    metadata = settings.get("MetadataOptions", {})
    monitored = str(_monitoring(settings)).lower() == "true"
    fields: dict[str, Any] = {
        "instanceType": settings.get("InstanceType", "m1.small"),
        "sourceDestCheck": settings.get("SourceDestCheck", True),
        "monitoring": {"state": "enabled" if monitored else "disabled"},
        "metadataOptions": {
            "state": "applied",
            "httpTokens": metadata.get("HttpTokens", "optional"),
            "httpPutResponseHopLimit": metadata.get("HttpPutResponseHopLimit", 1),
            "httpEndpoint": metadata.get("HttpEndpoint", "enabled"),
        },
    }
    if groups := settings.get("SecurityGroupIds"):
        fields["groupSet"] = [{"groupId": group} for group in groups]
    if "SubnetId" in settings:
        fields |= _place(settings)
    return fields


def _monitoring(settings: Mapping[str, Any]) -> Any:
    monitoring = settings.get("Monitoring", False)
    return monitoring.get("Enabled") if isinstance(monitoring, Mapping) else monitoring


def _place(settings: Mapping[str, Any]) -> dict[str, Any]:
    place = subnet(settings["SubnetId"])
    fields: dict[str, Any] = {
        "placement": {
            "availabilityZone": place["AvailabilityZone"],
            "tenancy": settings.get("Tenancy", "default"),
            "groupName": settings.get("PlacementGroupName"),
        },
    }
    if not _is_public(settings):
        fields |= {"ipAddress": None, "dnsName": ""}
    return fields


def _is_public(settings: Mapping[str, Any]) -> bool:
    chosen = settings.get("AssociatePublicIpAddress")
    if chosen is None:
        chosen = subnet(settings["SubnetId"])["MapPublicIpOnLaunch"]
    return str(chosen).lower() == "true"


@dataclass(frozen=True)
class _Instance(Emulated):
    """Launches with what its launch template says."""

    def create(self, request: Request) -> Created:
        instance, attributes = super().create(request)
        described = _described(instance)
        self._put_attributes(instance, request)
        attributes = self.with_attributes(
            instance,
            {
                "AvailabilityZone": described["Placement"]["AvailabilityZone"],
                "PublicIp": described.get("PublicIpAddress", ""),
                "PublicDnsName": described.get("PublicDnsName", ""),
            },
        )
        _tag_volumes(described, request)
        _attach_volumes(instance, request)
        return instance, attributes

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        attributes = super().update(physical_id, old, request)
        self._put_attributes(physical_id, request)
        return attributes

    def delete(self, physical_id: str, properties: Properties) -> None:
        super().delete(physical_id, properties)
        supplements.remove(f"{physical_id}/attributes")

    def _put_attributes(self, instance: str, request: Request) -> None:
        settings = launch_settings(request)
        supplements.put(
            f"{instance}/attributes",
            {
                "userData": settings.get("UserData", ""),
                "sourceDestCheck": settings.get("SourceDestCheck", True),
                "disableApiTermination": settings.get("DisableApiTermination", False),
                "instanceInitiatedShutdownBehavior": settings.get(
                    "InstanceInitiatedShutdownBehavior", "stop"
                ),
                "ebsOptimized": settings.get("EbsOptimized", False),
            },
        )


def _described(instance: str) -> dict[str, Any]:
    reservations = loopback.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    described: dict[str, Any] = reservations[0]["Instances"][0]
    return described


def _tag_volumes(described: Mapping[str, Any], request: Request) -> None:
    propagated = str(request.properties.get("PropagateTagsToVolumeOnCreation", False)).lower()
    if propagated == "true" and (tags := request.properties.get("Tags")):
        loopback.client("ec2").create_tags(
            Resources=[device["Ebs"]["VolumeId"] for device in described["BlockDeviceMappings"]],
            Tags=tags,
        )


def _attach_volumes(instance: str, request: Request) -> None:
    for volume in request.properties.get("Volumes", []):
        loopback.client("ec2").attach_volume(
            VolumeId=volume["VolumeId"], InstanceId=instance, Device=volume["Device"]
        )


EMULATED: dict[str, ResourceType] = {
    "AWS::EC2::Instance": _Instance(
        service="ec2",
        create_operation="run_instances",
        identifier="Answer.Instances[0].InstanceId",
        attributes={
            "InstanceId": "Answer.Instances[0].InstanceId",
            "PrivateIp": "Answer.Instances[0].PrivateIpAddress",
            "PrivateDnsName": "Answer.Instances[0].PrivateDnsName",
            "VpcId": "Answer.Instances[0].VpcId",
        },
        tagged="Answer.Instances[0].InstanceId",
        parameters=_parameters,
        supplement=_supplement,
        described=_OF_THE_SUPPLEMENT,
        delete_operation="terminate_instances",
        delete_parameters={"InstanceIds": "[Id]"},
    ),
}
