"""Which disks a machine has, who can attach them and what is left, as EC2 then describes it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

IMAGE = "ami-0123456789abcdef0"
ROOT = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9, "Encrypted": True}}
DATA = {
    "DeviceName": "/dev/sdf",
    "Ebs": {"VolumeSize": 2, "VolumeType": "io2", "Iops": 200, "DeleteOnTermination": False},
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties}


def machine(**properties: Any) -> Resources:
    return {"Box": resource("Instance", ImageId=IMAGE, **properties)}


def disks(client: Client, instance: str) -> dict[str, dict[str, Any]]:
    """The volumes attached to an instance, by device."""
    volumes = client("ec2").describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}]
    )["Volumes"]
    return {
        attachment["Device"]: volume
        for volume in volumes
        for attachment in volume["Attachments"]
        if attachment["InstanceId"] == instance
    }


def described(client: Client, instance: str) -> dict[str, Any]:
    answer = client("ec2").describe_instances(InstanceIds=[instance])
    return dict(answer["Reservations"][0]["Instances"][0])


def volume_ids(client: Client) -> set[str]:
    return {volume["VolumeId"] for volume in client("ec2").describe_volumes()["Volumes"]}


@pytest.fixture
def volume(client: Client) -> Any:
    """Make a volume, which goes after the test."""
    made: list[str] = []

    def make(**choices: Any) -> str:
        choices = {"AvailabilityZone": "us-east-1a", "Size": 4, **choices}
        made.append(client("ec2").create_volume(**choices)["VolumeId"])
        return made[-1]

    yield make
    for identifier in made:
        client("ec2").detach_volume(VolumeId=identifier)
        client("ec2").delete_volume(VolumeId=identifier)


def test_a_machine_has_the_disks_that_are_mapped(deploy: Deploy, client: Client) -> None:
    stack = deploy(machine(BlockDeviceMappings=[ROOT, DATA]))

    found = disks(client, stack["Box"])
    root, data = found["/dev/xvda"], found["/dev/sdf"]
    assert found.keys() == {"/dev/xvda", "/dev/sdf"}
    assert (root["Size"], root["VolumeType"], root["Encrypted"]) == (9, "gp3", True)
    assert (data["Size"], data["VolumeType"], data["Iops"]) == (2, "io2", 200)
    mapped = {
        device["DeviceName"]: (device["Ebs"]["VolumeId"], device["Ebs"]["DeleteOnTermination"])
        for device in described(client, stack["Box"])["BlockDeviceMappings"]
    }
    assert mapped == {"/dev/xvda": (root["VolumeId"], True), "/dev/sdf": (data["VolumeId"], False)}


def test_a_terminated_machine_takes_along_what_is_to_be_deleted_with_it(
    deploy: Deploy, client: Client
) -> None:
    ec2 = client("ec2")
    stack = deploy(machine(BlockDeviceMappings=[ROOT, DATA]))
    found = disks(client, stack["Box"])

    ec2.terminate_instances(InstanceIds=[stack["Box"]])

    data = found["/dev/sdf"]["VolumeId"]
    assert found["/dev/xvda"]["VolumeId"] not in volume_ids(client)
    [left] = ec2.describe_volumes(VolumeIds=[data])["Volumes"]
    assert (left["State"], left["Attachments"]) == ("available", [])
    assert described(client, stack["Box"])["BlockDeviceMappings"] == []
    ec2.delete_volume(VolumeId=data)


def test_disks_are_in_the_zone_of_the_subnet(deploy: Deploy, client: Client) -> None:
    network = {
        "Vpc": resource("VPC", CidrBlock="10.1.0.0/16"),
        "Subnet": resource(
            "Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.1.1.0/24", AvailabilityZone="us-east-1b"
        ),
    }
    stack = deploy(
        {**network, **machine(SubnetId={"Ref": "Subnet"}, BlockDeviceMappings=[ROOT, DATA])}
    )

    zones = {volume["AvailabilityZone"] for volume in disks(client, stack["Box"]).values()}
    assert zones == {"us-east-1b"}
    for volume in disks(client, stack["Box"]).values():
        if volume["Attachments"][0]["Device"] == "/dev/sdf":
            client("ec2").detach_volume(VolumeId=volume["VolumeId"])
            client("ec2").delete_volume(VolumeId=volume["VolumeId"])


@pytest.mark.parametrize("version", ["$Latest", "1", None])
def test_a_launch_template_says_what_the_request_does_not(
    deploy: Deploy, client: Client, version: str | None
) -> None:
    ec2 = client("ec2")
    template = resource(
        "LaunchTemplate",
        LaunchTemplateData={
            "ImageId": IMAGE,
            "InstanceType": "t4g.nano",
            "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
            "BlockDeviceMappings": [ROOT],
        },
    )
    group = resource("SecurityGroup", GroupDescription="any")
    stack = deploy({"Group": group, "Template": template})
    specification = {"LaunchTemplateId": stack["Template"], "Version": version}

    launched = ec2.run_instances(
        LaunchTemplate={name: value for name, value in specification.items() if value},
        InstanceType="t4g.micro",
        MinCount=1,
        MaxCount=1,
    )["Instances"][0]["InstanceId"]

    box = described(client, launched)
    assert (box["ImageId"], box["InstanceType"]) == (IMAGE, "t4g.micro")
    assert [each["GroupId"] for each in box["SecurityGroups"]] == [stack["Group"]]
    assert disks(client, launched)["/dev/xvda"]["Size"] == 9
    ec2.terminate_instances(InstanceIds=[launched])


def test_a_volume_attaches_to_one_machine_only(deploy: Deploy, client: Client, volume: Any) -> None:
    ec2, identifier = client("ec2"), volume()
    stack = deploy({**machine(), "Other": resource("Instance", ImageId=IMAGE)})
    ec2.attach_volume(VolumeId=identifier, InstanceId=stack["Box"], Device="/dev/sdf")

    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.attach_volume(VolumeId=identifier, InstanceId=stack["Other"], Device="/dev/sdf")

    assert disks(client, stack["Box"])["/dev/sdf"]["VolumeId"] == identifier
    assert "/dev/sdf" not in disks(client, stack["Other"])
    ec2.detach_volume(VolumeId=identifier)
    ec2.attach_volume(VolumeId=identifier, InstanceId=stack["Other"], Device="/dev/sdf")
    assert disks(client, stack["Other"])["/dev/sdf"]["VolumeId"] == identifier


def test_a_volume_made_for_several_machines_attaches_to_each_once(
    deploy: Deploy, client: Client, volume: Any
) -> None:
    ec2 = client("ec2")
    identifier = volume(VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    stack = deploy({**machine(), "Other": resource("Instance", ImageId=IMAGE)})

    def attached() -> set[str]:
        [found] = ec2.describe_volumes(VolumeIds=[identifier])["Volumes"]
        assert found["MultiAttachEnabled"] is True
        return {attachment["InstanceId"] for attachment in found["Attachments"]}

    for name in ("Box", "Other"):
        ec2.attach_volume(VolumeId=identifier, InstanceId=stack[name], Device="/dev/sdg")
    assert attached() == {stack["Box"], stack["Other"]}
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.attach_volume(VolumeId=identifier, InstanceId=stack["Box"], Device="/dev/sdh")

    ec2.detach_volume(VolumeId=identifier, InstanceId=stack["Box"])
    assert attached() == {stack["Other"]}


def test_a_volume_of_another_zone_is_refused(deploy: Deploy, client: Client, volume: Any) -> None:
    stack = deploy(machine())
    elsewhere = volume(AvailabilityZone="us-east-1b")

    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        client("ec2").attach_volume(VolumeId=elsewhere, InstanceId=stack["Box"], Device="/dev/sdf")
