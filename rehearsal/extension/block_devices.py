"""EC2's disks: which ones a machine is launched with, who can attach them, and what is left.

MiniStack launches every machine with one disk of 8 GB in the first zone, attaches any disk to any
machine, and leaves disks alone when it terminates one. Here its operations do what AWS's do, in
its own records.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from rehearsal.extension import ministack

Parameters = Mapping[str, Any]
Answer = tuple[int, Mapping[str, str], bytes]
Operation = Callable[[Parameters], Answer]
Record = dict[str, Any]

_OF_MACHINES = ("ImageId", "InstanceType", "KeyName", "UserData")


def install() -> None:
    """Put them in place of MiniStack's own; once per process."""
    operations = ministack.ec2_operations()
    for name, better in (
        ("CreateVolume", _creating),
        ("AttachVolume", _attaching),
        ("DetachVolume", _detaching),
        ("RunInstances", _running),
        ("TerminateInstances", _terminating),
    ):
        operations[name] = better(operations[name])


def _creating(own: Operation) -> Operation:
    def operation(parameters: Parameters) -> Answer:
        answer = own(parameters)
        if answer[0] == HTTPStatus.OK:
            [volume] = _ids(answer, "volumeId")
            _volumes()[volume] |= {
                "MultiAttachEnabled": _is_true(_value(parameters, "MultiAttachEnabled")),
                **_settings(_nested(parameters, "")),
            }
        return answer

    return operation


def _attaching(own: Operation) -> Operation:
    """Only in the zone of the disk; and to one machine, unless it was made for several."""

    def operation(parameters: Parameters) -> Answer:
        volume = _volumes().get(_value(parameters, "VolumeId"), {})
        instance = _instances().get(_value(parameters, "InstanceId"), {})
        before = volume.get("Attachments", [])
        if volume and instance:
            if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
                return _error(
                    "InvalidVolume.ZoneMismatch",
                    f"The volume '{volume['VolumeId']}' is not in the same availability zone as "
                    f"instance '{instance['InstanceId']}'",
                )
            attached = {attachment["InstanceId"] for attachment in before}
            if instance["InstanceId"] in attached or (
                attached and not volume["MultiAttachEnabled"]
            ):
                return _error(
                    "VolumeInUse", f"{volume['VolumeId']} is already attached to an instance"
                )
        answer = own(parameters)
        if answer[0] == HTTPStatus.OK:
            volume["Attachments"] = [*before, *volume["Attachments"]]
            _describe_disks(instance)
        return answer

    return operation


def _detaching(own: Operation) -> Operation:
    def operation(parameters: Parameters) -> Answer:
        volume = _volumes().get(_value(parameters, "VolumeId"), {})
        before = volume.get("Attachments", [])
        instance = _value(parameters, "InstanceId")
        answer = own(parameters)
        if answer[0] == HTTPStatus.OK:
            kept = [each for each in before if instance and each["InstanceId"] != instance]
            volume |= {"Attachments": kept, "State": "in-use" if kept else "available"}
            for attachment in before:
                _describe_disks(_instances().get(attachment["InstanceId"], {}))
        return answer

    return operation


def _running(own: Operation) -> Operation:
    """With the disks that the request or the launch template maps, in the zone of the subnet."""

    def operation(parameters: Parameters) -> Answer:
        given = _with_template(parameters)
        answer = own(given)
        if answer[0] == HTTPStatus.OK:
            for instance in _ids(answer, "instanceId"):
                _give_disks(_instances()[instance], _mappings(given))
        return answer

    return operation


def _terminating(own: Operation) -> Operation:
    """Takes along the disks that are to be deleted with the machine."""

    def operation(parameters: Parameters) -> Answer:
        answer = own(parameters)
        if answer[0] == HTTPStatus.OK:
            for instance in _ids(answer, "instanceId"):
                for volume, attachment in list(_attachments(instance)):
                    ministack.ec2_operations()["DetachVolume"](
                        {"VolumeId": volume["VolumeId"], "InstanceId": instance}
                    )
                    if attachment["DeleteOnTermination"]:
                        del _volumes()[volume["VolumeId"]]
        return answer

    return operation


def _give_disks(instance: Record, mappings: Mapping[str, Parameters]) -> None:
    subnet = ministack.ec2_records("_subnets").get(instance["SubnetId"], {})
    zone = subnet.get("AvailabilityZone", instance["Placement"]["AvailabilityZone"])
    instance["Placement"]["AvailabilityZone"] = zone
    for volume, _ in _attachments(instance["InstanceId"]):
        volume["AvailabilityZone"] = zone
    for device, ebs in mappings.items():
        if device != instance["RootDeviceName"]:
            _add_disk(instance, device, zone)
        for volume, attachment in _attachments(instance["InstanceId"]):
            if attachment["Device"] == device:
                volume |= _settings(ebs)
                if "DeleteOnTermination" in ebs:
                    attachment["DeleteOnTermination"] = _is_true(ebs["DeleteOnTermination"])
    _describe_disks(instance)


def _add_disk(instance: Record, device: str, zone: str) -> None:
    operations = ministack.ec2_operations()
    [volume] = _ids(operations["CreateVolume"]({"AvailabilityZone": zone}), "volumeId")
    operations["AttachVolume"](
        {"VolumeId": volume, "InstanceId": instance["InstanceId"], "Device": device}
    )


def _describe_disks(instance: Record) -> None:
    if instance:
        instance["BlockDeviceMappings"] = [
            {
                "DeviceName": attachment["Device"],
                "Ebs": {
                    "VolumeId": volume["VolumeId"],
                    "Status": attachment["State"],
                    "AttachTime": attachment["AttachTime"],
                    "DeleteOnTermination": attachment["DeleteOnTermination"],
                },
            }
            for volume, attachment in _attachments(instance["InstanceId"])
        ]


def _attachments(instance: str) -> Iterator[tuple[Record, Record]]:
    for volume in _volumes().values():
        for attachment in volume["Attachments"]:
            if attachment["InstanceId"] == instance:
                yield volume, attachment


def _with_template(parameters: Parameters) -> Parameters:
    """The parameters over what their launch template says."""
    named = {
        "launch-template-id": _value(parameters, "LaunchTemplate.LaunchTemplateId"),
        "launch-template-name": _value(parameters, "LaunchTemplate.LaunchTemplateName"),
    }
    wanted = _value(parameters, "LaunchTemplate.Version") or "$Default"
    for template in ministack.ec2_records("_launch_templates").values():
        if template["LaunchTemplateId"] in named.values() or (
            template["LaunchTemplateName"] in named.values()
        ):
            number = {
                "$Default": template["DefaultVersionNumber"],
                "$Latest": template["LatestVersionNumber"],
            }.get(wanted, wanted)
            for version in template["Versions"]:
                if str(version["VersionNumber"]) == str(number):
                    return {
                        **_as_parameters(version["LaunchTemplateData"], parameters),
                        **parameters,
                    }
    return parameters


def _as_parameters(template: Record, given: Parameters) -> Parameters:
    told = {name: str(template[name]) for name in _OF_MACHINES if name in template}
    if "SecurityGroupId.1" not in given:
        for number, group in enumerate(template.get("SecurityGroupIds", []), start=1):
            told[f"SecurityGroupId.{number}"] = group
    if "BlockDeviceMapping.1.DeviceName" not in given:
        for number, mapping in enumerate(template.get("BlockDeviceMappings", []), start=1):
            prefix = f"BlockDeviceMapping.{number}"
            told[f"{prefix}.DeviceName"] = mapping["DeviceName"]
            for name, value in mapping.get("Ebs", {}).items():
                told[f"{prefix}.Ebs.{name}"] = str(value)
    return told


def _mappings(parameters: Parameters) -> dict[str, Parameters]:
    """What is said of each EBS disk, by the name of its device."""
    mappings: dict[str, Parameters] = {}
    number = 1
    while device := _value(parameters, f"BlockDeviceMapping.{number}.DeviceName"):
        if ebs := _nested(parameters, f"BlockDeviceMapping.{number}.Ebs."):
            mappings[device] = ebs
        number += 1
    return mappings


def _nested(parameters: Parameters, prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): _value(parameters, name)
        for name in parameters
        if name.startswith(prefix)
    }


def _settings(ebs: Parameters) -> Record:
    """What a record keeps of a disk, from what is said of it."""
    size = ebs.get("VolumeSize") or ebs.get("Size")
    numbers = {"Size": size, "Iops": ebs.get("Iops"), "Throughput": ebs.get("Throughput")}
    settings: Record = {name: int(value) for name, value in numbers.items() if value}
    if "VolumeType" in ebs:
        settings["VolumeType"] = ebs["VolumeType"]
    if "Encrypted" in ebs:
        settings["Encrypted"] = _is_true(ebs["Encrypted"])
    return settings


def _value(parameters: Parameters, name: str) -> str:
    """A parameter, which MiniStack has as a list of one; empty if it is not given."""
    value = parameters.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _is_true(value: str) -> bool:
    return value.lower() == "true"


def _ids(answer: Answer, tag: str) -> list[str]:
    return list(dict.fromkeys(re.findall(rf"<{tag}>([^<]+)</{tag}>", answer[2].decode())))


def _error(code: str, message: str) -> Answer:
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>rehearsal</RequestID></Response>"
    )
    return HTTPStatus.BAD_REQUEST, {"Content-Type": "application/xml"}, body.encode()


def _volumes() -> dict[str, Record]:
    return ministack.ec2_records("_volumes")


def _instances() -> dict[str, Record]:
    return ministack.ec2_records("_instances")
