"""What CloudFormation makes of an instance, as EC2 then describes it."""

import base64
from typing import Any

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

IMAGE = "ami-0123456789abcdef0"


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties}


def subnet(number: int, *, public: bool) -> dict[str, Any]:
    return resource(
        "Subnet",
        VpcId={"Ref": "Vpc"},
        CidrBlock=f"10.1.{number}.0/24",
        AvailabilityZone="us-east-1b",
        MapPublicIpOnLaunch=public,
    )


VPC: Resources = {
    "Vpc": resource("VPC", CidrBlock="10.1.0.0/16"),
    "Public": subnet(1, public=True),
    "Private": subnet(2, public=False),
    "Group": resource("SecurityGroup", GroupDescription="any", VpcId={"Ref": "Vpc"}),
}
GROUP = {"Fn::GetAtt": ["Group", "GroupId"]}


def described(client: Client, instance: str) -> dict[str, Any]:
    answer = client("ec2").describe_instances(InstanceIds=[instance])
    return dict(answer["Reservations"][0]["Instances"][0])


def attribute(client: Client, instance: str, name: str) -> Any:
    answer = client("ec2").describe_instance_attribute(InstanceId=instance, Attribute=name)
    (value,) = [value for key, value in answer.items() if key.lower() == name.lower()]
    return value["Value"]


def test_an_instance_is_launched_where_and_as_asked(deploy: Deploy, client: Client) -> None:
    instance = resource(
        "Instance",
        ImageId=IMAGE,
        InstanceType="t4g.nano",
        SubnetId={"Ref": "Private"},
        SecurityGroupIds=[GROUP],
        UserData={"Fn::Base64": "#!/bin/sh\necho hello"},
        Monitoring=True,
        MetadataOptions={"HttpTokens": "required"},
        Tags=[{"Key": "Name", "Value": "box"}],
    )
    stack = deploy(
        {**VPC, "Box": instance},
        Address={"Fn::GetAtt": ["Box", "PrivateIp"]},
        Zone={"Fn::GetAtt": ["Box", "AvailabilityZone"]},
        Public={"Fn::GetAtt": ["Box", "PublicIp"]},
    )

    box = described(client, stack["Box"])
    assert (box["ImageId"], box["InstanceType"]) == (IMAGE, "t4g.nano")
    assert (box["VpcId"], box["SubnetId"]) == (stack["Vpc"], stack["Private"])
    assert box["Placement"]["AvailabilityZone"] == stack.outputs["Zone"] == "us-east-1b"
    assert [group["GroupId"] for group in box["SecurityGroups"]] == [stack["Group"]]
    assert box["Monitoring"]["State"] == "enabled"
    assert box["MetadataOptions"]["HttpTokens"] == "required"
    assert box["PrivateIpAddress"] == stack.outputs["Address"]
    assert box["PrivateIpAddress"].startswith("10.1.2.")
    assert {"Key": "Name", "Value": "box"} in box["Tags"]
    user_data = attribute(client, stack["Box"], "userData")
    assert base64.b64decode(user_data).decode() == "#!/bin/sh\necho hello"


def test_only_a_public_subnet_gives_a_public_address(deploy: Deploy, client: Client) -> None:
    def instance(where: str) -> dict[str, Any]:
        return resource("Instance", ImageId=IMAGE, SubnetId={"Ref": where})

    stack = deploy(
        {**VPC, "Outside": instance("Public"), "Inside": instance("Private")},
        Address={"Fn::GetAtt": ["Outside", "PublicIp"]},
    )

    outside, inside = (described(client, stack[name]) for name in ("Outside", "Inside"))
    assert outside["PublicIpAddress"] == stack.outputs["Address"]
    assert "PublicIpAddress" not in inside


def test_the_network_interface_of_an_instance_decides(deploy: Deploy, client: Client) -> None:
    instance = resource(
        "Instance",
        ImageId=IMAGE,
        NetworkInterfaces=[
            {
                "DeviceIndex": "0",
                "SubnetId": {"Ref": "Private"},
                "AssociatePublicIpAddress": True,
                "GroupSet": [GROUP],
            }
        ],
    )
    stack = deploy({**VPC, "Box": instance})

    box = described(client, stack["Box"])
    assert box["SubnetId"] == stack["Private"]
    assert box["PublicIpAddress"]
    assert [group["GroupId"] for group in box["SecurityGroups"]] == [stack["Group"]]


def test_a_nat_instance_forwards_what_is_not_addressed_to_it(
    deploy: Deploy, client: Client
) -> None:
    def instance(check: bool, kind: str = "t4g.nano") -> Resources:
        box = resource(
            "Instance",
            ImageId=IMAGE,
            SubnetId={"Ref": "Public"},
            SourceDestCheck=check,
            InstanceType=kind,
        )
        return {**VPC, "Box": box}

    stack = deploy(instance(True))
    before = stack["Box"]
    assert described(client, before)["SourceDestCheck"] is True

    stack.update(instance(False, "t4g.micro"))

    assert stack["Box"] == before
    assert described(client, before)["SourceDestCheck"] is False
    assert described(client, before)["InstanceType"] == "t4g.micro"
    assert attribute(client, before, "sourceDestCheck") is False


def test_a_launch_template_says_what_the_instance_does_not(deploy: Deploy, client: Client) -> None:
    template = resource(
        "LaunchTemplate",
        LaunchTemplateData={
            "ImageId": IMAGE,
            "InstanceType": "t4g.small",
            "MetadataOptions": {"HttpTokens": "required"},
        },
    )
    instance = resource(
        "Instance",
        SubnetId={"Ref": "Private"},
        InstanceType="t4g.nano",
        LaunchTemplate={
            "LaunchTemplateId": {"Ref": "Template"},
            "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
        },
    )
    stack = deploy({**VPC, "Template": template, "Box": instance})

    box = described(client, stack["Box"])
    assert box["ImageId"] == IMAGE
    assert box["InstanceType"] == "t4g.nano"
    assert box["MetadataOptions"]["HttpTokens"] == "required"


def test_an_instance_has_the_role_of_its_profile(deploy: Deploy, client: Client) -> None:
    profile = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Profile": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"Roles": [{"Ref": "Role"}]},
        },
    }
    instance = resource("Instance", ImageId=IMAGE, IamInstanceProfile={"Ref": "Profile"})
    stack = deploy({**profile, "Box": instance})

    box = described(client, stack["Box"])
    assert box["IamInstanceProfile"]["Arn"].endswith(f"/{stack['Profile']}")


def test_replacing_an_instance_terminates_the_old_one_with_its_volume(
    deploy: Deploy, client: Client
) -> None:
    def instance(image: str) -> Resources:
        return {"Box": resource("Instance", ImageId=image)}

    stack = deploy(instance(IMAGE))
    before = described(client, stack["Box"])
    volume = before["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    stack.update(instance("ami-0fedcba9876543210"))

    assert stack["Box"] != before["InstanceId"]
    assert described(client, before["InstanceId"])["State"]["Name"] == "terminated"
    volumes = client("ec2").describe_volumes()["Volumes"]
    assert volume not in [found["VolumeId"] for found in volumes]


def test_a_change_that_cannot_be_made_here_says_so(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Box": resource("Instance", ImageId=IMAGE)})

    client("cloudformation").update_stack(
        StackName=stack.name,
        TemplateBody='{"Resources": {"Box": {"Type": "AWS::EC2::Instance", "Properties": '
        f'{{"ImageId": "{IMAGE}", "Tenancy": "dedicated"}}}}}}}}',
    )

    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "the rehearsal cannot change Tenancy of an existing resource" in stack.reasons[0]


def test_a_volume_is_attached_grown_and_deleted(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")

    def volume(size: int) -> Resources:
        return {
            "Box": resource("Instance", ImageId=IMAGE),
            "Disk": resource(
                "Volume",
                AvailabilityZone="us-east-1a",
                Size=size,
                VolumeType="gp3",
                Throughput=250,
                Encrypted=True,
            ),
            "Attached": resource(
                "VolumeAttachment",
                VolumeId={"Ref": "Disk"},
                InstanceId={"Ref": "Box"},
                Device="/dev/sdf",
            ),
        }

    stack = deploy(volume(10))
    identifier = stack["Disk"]
    (disk,) = ec2.describe_volumes(VolumeIds=[identifier])["Volumes"]
    (attachment,) = disk["Attachments"]
    assert (disk["Size"], disk["VolumeType"], disk["Throughput"]) == (10, "gp3", 250)
    assert disk["Encrypted"] is True
    assert (attachment["InstanceId"], attachment["Device"]) == (stack["Box"], "/dev/sdf")

    stack.update(volume(20))

    (disk,) = ec2.describe_volumes(VolumeIds=[identifier])["Volumes"]
    assert stack["Disk"] == identifier
    assert disk["Size"] == 20

    stack.update({"Box": resource("Instance", ImageId=IMAGE)})

    volumes = [found["VolumeId"] for found in ec2.describe_volumes()["Volumes"]]
    assert identifier not in volumes


def test_the_private_half_of_a_key_pair_is_in_parameter_store(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(
        {"Key": resource("KeyPair", KeyName="made-here")}, Id={"Fn::GetAtt": ["Key", "KeyPairId"]}
    )
    parameter = f"/ec2/keypair/{stack.outputs['Id']}"

    (pair,) = client("ec2").describe_key_pairs(KeyNames=["made-here"])["KeyPairs"]
    assert pair["KeyPairId"] == stack.outputs["Id"]
    value = client("ssm").get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"]
    assert "PRIVATE KEY" in value

    stack.delete()

    assert "made-here" not in str(client("ec2").describe_key_pairs()["KeyPairs"])
    assert client("ssm").get_parameters(Names=[parameter])["Parameters"] == []


def test_an_imported_key_pair_has_no_private_half(deploy: Deploy, client: Client) -> None:
    key = resource("KeyPair", KeyName="theirs", PublicKeyMaterial="ssh-ed25519 AAAA me")
    stack = deploy({"Key": key}, Id={"Fn::GetAtt": ["Key", "KeyPairId"]})

    names = [f"/ec2/keypair/{stack.outputs['Id']}"]
    assert client("ssm").get_parameters(Names=names)["Parameters"] == []


def test_a_placement_group_has_its_strategy_and_a_name(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {"Group": resource("PlacementGroup", Strategy="partition", PartitionCount=3)},
        Name={"Fn::GetAtt": ["Group", "GroupName"]},
    )

    (group,) = client("ec2").describe_placement_groups(GroupNames=[stack["Group"]])[
        "PlacementGroups"
    ]
    assert stack.outputs["Name"] == stack["Group"]
    assert (group["Strategy"], group["PartitionCount"]) == ("partition", 3)

    stack.delete()

    assert client("ec2").describe_placement_groups()["PlacementGroups"] == []


def test_an_elastic_ip_goes_to_its_instance(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {
            "Box": resource("Instance", ImageId=IMAGE),
            "Other": resource("Instance", ImageId=IMAGE),
            "Ip": resource("EIP", InstanceId={"Ref": "Box"}),
            "OtherIp": resource("EIP"),
            "Association": resource(
                "EIPAssociation",
                AllocationId={"Fn::GetAtt": ["OtherIp", "AllocationId"]},
                InstanceId={"Ref": "Other"},
            ),
        }
    )

    addresses = client("ec2").describe_addresses()["Addresses"]
    assert {a["PublicIp"]: a.get("InstanceId") for a in addresses} == {
        stack["Ip"]: stack["Box"],
        stack["OtherIp"]: stack["Other"],
    }


def test_a_second_network_interface_is_attached(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {
            **VPC,
            "Box": resource("Instance", ImageId=IMAGE, SubnetId={"Ref": "Private"}),
            "Eni": resource("NetworkInterface", SubnetId={"Ref": "Private"}),
            "Attached": resource(
                "NetworkInterfaceAttachment",
                InstanceId={"Ref": "Box"},
                NetworkInterfaceId={"Ref": "Eni"},
                DeviceIndex="1",
            ),
        }
    )

    (interface,) = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[stack["Eni"]])[
        "NetworkInterfaces"
    ]
    assert interface["Attachment"]["InstanceId"] == stack["Box"]
