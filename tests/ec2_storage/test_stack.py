"""What must stay true of the ec2-storage blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.ec2_storage import Ec2StorageStack
from tests.assembly import Assembly, StackTemplate, alone

IO1, IO2 = ec2.EbsDeviceVolumeType.IO1, ec2.EbsDeviceVolumeType.IO2
SERVERS = ("WebA", "WebB")
KEPT = ("FileSystem", "Data")


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["ec2-storage"].body == snapshot


@pytest.fixture
def stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["ec2-storage"]


def compose(app: cdk.App, zones: int = 2, **choices: Any) -> None:
    """The stack alone, in a VPC like the one it is usually in."""
    vpc = ec2.Vpc(
        cdk.Stack(app, "network"),
        "Vpc",
        max_azs=zones,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
            ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        ],
        restrict_default_security_group=False,
    )
    Ec2StorageStack(
        app,
        "ec2-storage",
        vpc=vpc,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        backups=False,
        **choices,
    )


@pytest.fixture(scope="module")
def with_options() -> Assembly:
    return alone(compose, multi_attach=IO2, local_disk=ec2.InstanceType("m5d.large"))


def mapped(stack: StackTemplate, template: str) -> dict[str, dict[str, Any]]:
    """What a launch template says of each EBS disk, by device."""
    return {
        mapping["DeviceName"]: mapping["Ebs"]
        for mapping in stack[template]["LaunchTemplateData"]["BlockDeviceMappings"]
    }


def script(stack: StackTemplate, server: str) -> str:
    """User data, with the ids of the stack's resources by logical id."""
    parts = stack[server]["UserData"]["Fn::Base64"]["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)


@pytest.mark.concept("ebs.network-drive")
def test_the_data_volume_is_in_the_zone_of_the_machine_that_has_it(stack: StackTemplate) -> None:
    assert stack["Data"]["AvailabilityZone"] == stack.att("WebA", "AvailabilityZone")
    assert stack["DataAttachment"] == {
        "Device": "/dev/sdf",
        "InstanceId": stack.ref("WebA"),
        "VolumeId": stack.ref("Data"),
    }


@pytest.mark.concept("ebs.persistence")
def test_the_root_disk_goes_with_the_machine_and_the_data_disk_stays(stack: StackTemplate) -> None:
    disks = mapped(stack, "ShortLived")

    assert disks["/dev/xvda"]["DeleteOnTermination"] is True
    assert disks["/dev/sdf"]["DeleteOnTermination"] is False
    for server in SERVERS:
        [root] = stack[server]["BlockDeviceMappings"]
        assert root["Ebs"]["DeleteOnTermination"] is True


@pytest.mark.concept("ebs.single-attach")
def test_the_data_volume_is_for_one_machine(stack: StackTemplate) -> None:
    assert stack["Data"]["VolumeType"] == "gp3"
    assert not stack["Data"].get("MultiAttachEnabled")


@pytest.mark.concept("ebs.multi-attach")
def test_a_volume_for_several_machines_is_an_option(
    stack: StackTemplate, with_options: Assembly
) -> None:
    [only] = stack.of_type("AWS::EC2::Volume")
    assert only == stack.logical_id("Data")

    chosen = with_options.stacks["ec2-storage"]
    assert chosen["Shared"]["MultiAttachEnabled"] is True
    assert chosen["Shared"]["VolumeType"] == "io2"
    assert chosen["Shared"]["AvailabilityZone"] == chosen.att("WebA", "AvailabilityZone")
    assert chosen["SharedAttachment"]["VolumeId"] == chosen.ref("Shared")
    assert chosen["SharedAttachment"]["Device"] != chosen["DataAttachment"]["Device"]


@pytest.mark.concept("ebs.use-case-database")
def test_the_data_volume_has_operations_and_throughput_of_its_own(stack: StackTemplate) -> None:
    assert (stack["Data"]["Iops"], stack["Data"]["Throughput"]) == (3000, 125)


@pytest.mark.concept("instance-store.speed")
def test_a_machine_with_a_disk_of_its_host_maps_no_volume_for_it(
    stack: StackTemplate, with_options: Assembly
) -> None:
    assert stack["LocalDisk"]["LaunchTemplateData"]["InstanceType"] == "c6gd.medium"
    assert mapped(stack, "LocalDisk").keys() == {"/dev/xvda"}

    chosen = with_options.stacks["ec2-storage"]
    data = chosen["LocalDisk"]["LaunchTemplateData"]
    assert data["InstanceType"] == "m5d.large"
    assert chosen.body["Parameters"][data["ImageId"]["Ref"]]["Default"].endswith("-x86_64")


def test_the_disk_of_the_host_is_formatted_if_it_is_empty_at_every_boot(
    stack: StackTemplate,
) -> None:
    told = stack["LocalDisk"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]

    assert "/var/lib/cloud/scripts/per-boot/" in told
    assert "nvme-Amazon_EC2_NVMe_Instance_Storage_" in told
    assert "blkid $disk || mkfs" in told
    assert "mount $disk /scratch" in told


@pytest.mark.parametrize("template", ["ShortLived", "LocalDisk"])
def test_who_launches_a_machine_gets_it_hardened_and_can_run_commands_on_it(
    stack: StackTemplate, template: str
) -> None:
    data = stack[template]["LaunchTemplateData"]

    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert all(disk["Encrypted"] for disk in mapped(stack, template).values())
    assert data["SecurityGroupIds"] == [stack.att("Machines", "GroupId")]
    assert data["IamInstanceProfile"] == {"Arn": stack.att(f"{template}/Profile")}
    assert stack[f"{template}/Profile"]["Roles"] == [stack.ref("WebA/InstanceRole")]


@pytest.mark.concept("efs.network-file-system")
def test_the_file_system_is_encrypted_and_has_a_mount_target_in_each_zone(
    stack: StackTemplate, sandbox: Assembly
) -> None:
    assert stack["FileSystem"]["Encrypted"] is True
    network = sandbox.stacks["vpc"]
    subnets = [target["SubnetId"] for target in stack.of_type("AWS::EFS::MountTarget").values()]
    isolated = [network.logical_id(f"Network/IsolatedSubnet{zone}/Subnet") for zone in (1, 2)]

    names = [subnet["Fn::GetStackOutput"]["OutputName"] for subnet in subnets]
    assert [network.body["Outputs"][name]["Value"]["Ref"] for name in names] == isolated


@pytest.mark.concept("efs.many-instances")
def test_every_machine_of_the_group_can_mount_it_and_nobody_else(stack: StackTemplate) -> None:
    [rule] = stack.of_type("AWS::EC2::SecurityGroupIngress").values()

    assert (rule["FromPort"], rule["ToPort"]) == (2049, 2049)
    assert rule["GroupId"] == stack.att("MountTargets", "GroupId")
    assert rule["SourceSecurityGroupId"] == stack.att("Machines", "GroupId")
    for target in stack.of_type("AWS::EFS::MountTarget").values():
        assert target["SecurityGroups"] == [stack.att("MountTargets", "GroupId")]
    for group in ("MountTargets", "Machines"):
        assert "SecurityGroupIngress" not in stack[group]
    for server in SERVERS:
        assert stack[server]["SecurityGroupIds"] == [stack.att("Machines", "GroupId")]


def test_nobody_mounts_it_in_the_clear_or_without_a_role(stack: StackTemplate) -> None:
    [statement] = stack["FileSystem"]["FileSystemPolicy"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.concept("efs.use-case-shared-content")
def test_both_web_servers_mount_and_serve_the_same_folder(stack: StackTemplate) -> None:
    media = stack["FileSystem/Media"]
    assert media["RootDirectory"]["Path"] == "/media"
    assert media["FileSystemId"] == stack.ref("FileSystem")

    source = f"<{stack.logical_id('FileSystem')}>:/ /srv/media efs "
    options = f"_netdev,tls,iam,accesspoint=<{stack.logical_id('FileSystem/Media')}>"
    for server in SERVERS:
        assert source + options in script(stack, server)
        assert "mount /srv/media" in script(stack, server)
        assert "location /media/" in script(stack, server)


@pytest.mark.parametrize("server", SERVERS)
def test_a_web_server_may_mount_the_one_access_point_only_and_starts_when_it_can(
    stack: StackTemplate, server: str
) -> None:
    [statement] = stack.statements(f"{server}/InstanceRole")

    assert set(statement["Action"]) == {
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
    }
    assert statement["Resource"] == stack.att("FileSystem")
    [arn] = statement["Condition"]["StringEquals"].values()
    assert arn["Fn::Join"][1][-1] == stack.ref("FileSystem/Media")
    after = stack.body["Resources"][stack.logical_id(server)]["DependsOn"]
    assert set(after) >= set(stack.of_type("AWS::EFS::MountTarget"))


def test_the_web_servers_are_in_two_zones(stack: StackTemplate) -> None:
    zones = [stack[server]["AvailabilityZone"]["Fn::Select"][0] for server in SERVERS]

    assert zones == [0, 1]


def test_production_keeps_its_data_and_backs_it_up(
    stack: StackTemplate, production: Assembly
) -> None:
    def policies(stack: StackTemplate) -> set[str]:
        resources = stack.body["Resources"]
        return {resources[stack.logical_id(each)]["DeletionPolicy"] for each in KEPT}

    kept = production.stacks["ec2-storage"]
    assert policies(stack) == {"Delete"}
    assert policies(kept) == {"Retain"}
    assert "BackupPolicy" not in stack["FileSystem"]
    assert kept["FileSystem"]["BackupPolicy"] == {"Status": "ENABLED"}


def test_with_every_option_nothing_is_found_that_is_not_acknowledged(
    with_options: Assembly,
) -> None:
    assert not with_options.findings("ec2-storage")


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        (
            {"multi_attach": ec2.EbsDeviceVolumeType.GP3},
            "multi_attach is 'gp3', of which only one machine can attach a volume; "
            "choose io2 or io1",
        ),
        (
            {"local_disk": ec2.InstanceType("t4g.nano")},
            "local_disk 't4g.nano' names no disk of its host; choose a type like c6gd.medium",
        ),
        (
            {"zones": 1},
            "vpc has no public subnets in two zones, one for each web server; give one that has",
        ),
    ],
    ids=["gp3", "no local disk", "one zone"],
)
def test_what_cannot_work_is_refused_in_one_line(choices: dict[str, Any], line: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        alone(compose, **choices)

    assert str(refused.value) == line


@pytest.mark.parametrize(
    "choices",
    [
        {"multi_attach": IO1},
        *({"local_disk": ec2.InstanceType(each)} for each in ("i4i.large", "im4gn.large")),
        {"local_disk": ec2.InstanceType("g4dn.xlarge")},
    ],
    ids=["io1", "i4i", "im4gn", "g4dn"],
)
def test_what_can_work_is_not_refused(choices: dict[str, Any]) -> None:
    alone(compose, **choices)
