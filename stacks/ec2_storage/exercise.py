"""See what disks survive: ``make rehearse BLUEPRINT=ec2-storage``, ``make exercise`` once on AWS.

On AWS it launches small machines for some minutes, and a volume for several: a few cents. The data
volume changes machines for moments, and gets a file system if it has none.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually
from rehearsal.systems_manager import run_command

Description = dict[str, Any]
Run = Callable[[str, str], str]
Launch = Callable[..., contextlib.AbstractContextManager[str]]

BOOT = "cat /proc/sys/kernel/random/boot_id"
READ_AT_RANDOM = (
    "fio --name read --filename {folder}/fio --size 1G --rw randread --bs 4k --direct 1 "
    "--ioengine posixaio --iodepth 32 --runtime 15 --time_based --output-format json "
    '| python3 -c "import json, sys; '
    "read = json.load(sys.stdin)['jobs'][0]['read']; print(read['iops'], read['clat_ns']['mean'])\""
)


@pytest.fixture(scope="module")
def ec2(client: Client) -> Any:
    """EC2's client."""
    return client("ec2")


@pytest.fixture(scope="module")
def web_a(ec2: Any, outputs: dict[str, str]) -> Description:
    """The web server with the data volume."""
    return instance(ec2, outputs["WebAId"])


@pytest.fixture(scope="module")
def web_b(ec2: Any, outputs: dict[str, str]) -> Description:
    """The web server in the other zone."""
    return instance(ec2, outputs["WebBId"])


@pytest.fixture(scope="module")
def run(client: Client, eventually: Eventually) -> Run:
    """Run a command on a machine, and get what it printed."""
    return lambda machine, command: run_command(client("ssm"), eventually, machine, command)


@pytest.fixture(scope="module")
def launch(ec2: Any, web_a: Description) -> Launch:
    """Launch a machine beside the first web server, and terminate it with all its disks."""

    @contextlib.contextmanager
    def launched(template: str) -> Iterator[str]:
        machine = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            SubnetId=web_a["SubnetId"],
            MinCount=1,
            MaxCount=1,
        )["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[machine])
        own = set(disks(ec2, machine).values())
        try:
            yield machine
        finally:
            ec2.terminate_instances(InstanceIds=[machine])
            ec2.get_waiter("instance_terminated").wait(InstanceIds=[machine])
            for volume in own & existing(ec2):
                ec2.delete_volume(VolumeId=volume)

    return launched


@pytest.fixture(scope="module")
def neighbour(launch: Launch, outputs: dict[str, str]) -> Iterator[str]:
    """A machine in the zone of the first web server."""
    with launch(outputs["ShortLivedId"]) as machine:
        yield machine


@pytest.fixture
def new_volume(ec2: Any, web_a: Description) -> Iterator[Callable[..., str]]:
    """Make a volume in the zone of the first web server, which goes when the test ends."""
    made: list[str] = []

    def make(**choices: Any) -> str:
        made.append(
            ec2.create_volume(AvailabilityZone=web_a["Placement"]["AvailabilityZone"], **choices)[
                "VolumeId"
            ]
        )
        ec2.get_waiter("volume_available").wait(VolumeIds=made)
        return made[-1]

    yield make
    for volume in made:
        ec2.delete_volume(VolumeId=volume)


@pytest.fixture
def volume_for_several(outputs: dict[str, str], new_volume: Callable[..., str]) -> str:
    """The stack's, or one like it where the stack was deployed without."""
    return outputs.get("SharedId") or new_volume(
        VolumeType="io2", Size=4, Iops=100, MultiAttachEnabled=True, Encrypted=True
    )


def instance(ec2: Any, identifier: str) -> Description:
    [reservation] = ec2.describe_instances(InstanceIds=[identifier])["Reservations"]
    [described] = reservation["Instances"]
    assert isinstance(described, dict)
    return described


def volume(ec2: Any, identifier: str) -> Description:
    [described] = ec2.describe_volumes(VolumeIds=[identifier])["Volumes"]
    assert isinstance(described, dict)
    return described


def disks(ec2: Any, machine: str) -> dict[str, str]:
    """The volumes of a machine, by device."""
    return {
        device["DeviceName"]: device["Ebs"]["VolumeId"]
        for device in instance(ec2, machine)["BlockDeviceMappings"]
    }


def existing(ec2: Any) -> set[str]:
    pages = ec2.get_paginator("describe_volumes").paginate()
    return {each["VolumeId"] for page in pages for each in page["Volumes"]}


@contextlib.contextmanager
def attached(ec2: Any, identifier: str, machine: str) -> Iterator[None]:
    """A volume is at one more machine for a while."""
    ec2.attach_volume(VolumeId=identifier, InstanceId=machine, Device="/dev/sdh")
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[identifier])
    try:
        yield
    finally:
        ec2.detach_volume(VolumeId=identifier, InstanceId=machine)


@contextlib.contextmanager
def moved(ec2: Any, identifier: str, machine: str) -> Iterator[None]:
    """A volume that one machine has is at another one for a while."""
    [before] = volume(ec2, identifier)["Attachments"]
    ec2.detach_volume(VolumeId=identifier)
    try:
        ec2.get_waiter("volume_available").wait(VolumeIds=[identifier])
        with attached(ec2, identifier, machine):
            yield
    finally:
        ec2.get_waiter("volume_available").wait(VolumeIds=[identifier])
        ec2.attach_volume(
            VolumeId=identifier, InstanceId=before["InstanceId"], Device=before["Device"]
        )


def mounted(identifier: str, command: str) -> str:
    """Do something at ``/mnt/data``, where a volume is mounted as long."""
    disk = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{identifier.replace('-', '')}"
    return "; ".join(
        [
            f"until [ -b {disk} ]; do sleep 1; done",
            f"blkid {disk} > /dev/null || mkfs --type xfs {disk} > /dev/null",
            "mkdir --parents /mnt/data",
            f"mount {disk} /mnt/data && {command}",
            "umount /mnt/data",
        ]
    )


def with_folder(folder: str, command: str) -> str:
    """Do something as soon as a folder has what it is the place for."""
    return f"until mountpoint --quiet {folder}; do sleep 2; done; {command}"


def test_the_data_volume_is_in_the_zone_of_its_machine_and_attached_to_it(
    ec2: Any, outputs: dict[str, str], web_a: Description
) -> None:
    data = volume(ec2, outputs["DataId"])

    assert data["AvailabilityZone"] == web_a["Placement"]["AvailabilityZone"]
    assert [(each["InstanceId"], each["Device"]) for each in data["Attachments"]] == [
        (web_a["InstanceId"], "/dev/sdf")
    ]
    assert (data["VolumeType"], data["Iops"], data["Throughput"]) == ("gp3", 3000, 125)
    assert data["Encrypted"] is True


def test_a_machine_of_another_zone_cannot_have_the_volume(
    ec2: Any, new_volume: Callable[..., str], web_a: Description, web_b: Description
) -> None:
    assert web_a["Placement"]["AvailabilityZone"] != web_b["Placement"]["AvailabilityZone"]
    here = new_volume(VolumeType="gp3", Size=1)

    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        ec2.attach_volume(VolumeId=here, InstanceId=web_b["InstanceId"], Device="/dev/sdh")


@pytest.mark.concept("ebs.single-attach")
def test_a_volume_that_a_machine_has_no_second_one_gets(
    ec2: Any, outputs: dict[str, str], neighbour: str
) -> None:
    assert volume(ec2, outputs["DataId"])["VolumeType"] == "gp3"

    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.attach_volume(VolumeId=outputs["DataId"], InstanceId=neighbour, Device="/dev/sdh")


@pytest.mark.concept("ebs.multi-attach")
def test_a_volume_made_for_several_is_at_two_machines_at_once(
    ec2: Any, volume_for_several: str, web_a: Description, neighbour: str
) -> None:
    first = {each["InstanceId"] for each in volume(ec2, volume_for_several)["Attachments"]}

    with contextlib.ExitStack() as attachments:
        for machine in {web_a["InstanceId"], neighbour} - first:
            attachments.enter_context(attached(ec2, volume_for_several, machine))
        shared = volume(ec2, volume_for_several)
        assert shared["MultiAttachEnabled"] is True
        assert {each["InstanceId"] for each in shared["Attachments"]} == {
            web_a["InstanceId"],
            neighbour,
        }
    if not first:
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume_for_several])


@pytest.mark.concept("ebs.persistence")
def test_when_a_machine_is_terminated_its_root_disk_goes_and_its_data_disk_stays(
    ec2: Any, outputs: dict[str, str], launch: Launch, eventually: Eventually
) -> None:
    with launch(outputs["ShortLivedId"]) as machine:
        own = disks(ec2, machine)

        ec2.terminate_instances(InstanceIds=[machine])

        eventually(lambda: own["/dev/xvda"] not in existing(ec2), within=180)
        eventually(lambda: volume(ec2, own["/dev/sdf"])["State"] == "available", within=180)


@pytest.mark.concept("efs.network-file-system")
def test_each_zone_has_a_mount_target_which_is_available(
    client: Client, outputs: dict[str, str], web_a: Description, web_b: Description
) -> None:
    targets = client("efs").describe_mount_targets(FileSystemId=outputs["FileSystemId"])[
        "MountTargets"
    ]

    zones = sorted(target["AvailabilityZoneName"] for target in targets)
    assert zones == sorted(web["Placement"]["AvailabilityZone"] for web in (web_a, web_b))
    assert {target["LifeCycleState"] for target in targets} == {"available"}


def test_nobody_mounts_the_file_system_in_the_clear_or_without_a_role(
    client: Client, outputs: dict[str, str]
) -> None:
    efs = client("efs")
    [file_system] = efs.describe_file_systems(FileSystemId=outputs["FileSystemId"])["FileSystems"]
    assert file_system["Encrypted"] is True

    told = efs.describe_file_system_policy(FileSystemId=outputs["FileSystemId"])["Policy"]
    [statement] = json.loads(told)["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.aws_only
@pytest.mark.concept("ebs.network-drive")
def test_what_was_written_is_there_at_another_machine_of_the_zone(
    ec2: Any, outputs: dict[str, str], neighbour: str, run: Run
) -> None:
    data, marker = outputs["DataId"], uuid4().hex
    run(outputs["WebAId"], mounted(data, f"echo {marker} > /mnt/data/marker"))

    with moved(ec2, data, neighbour):
        assert run(neighbour, mounted(data, "cat /mnt/data/marker")) == marker


@pytest.mark.aws_only
@pytest.mark.concept("instance-store.speed")
def test_the_disk_of_the_host_reads_faster_than_the_one_over_the_network(
    outputs: dict[str, str], launch: Launch, run: Run
) -> None:
    def read(folder: str) -> tuple[float, float]:
        operations, latency = run(machine, READ_AT_RANDOM.format(folder=folder)).split()
        return float(operations), float(latency)

    with launch(outputs["LocalDiskId"]) as machine:
        run(machine, with_folder("/scratch", "dnf install --assumeyes --quiet fio"))
        (local, local_latency), (network, network_latency) = read("/scratch"), read("/var/tmp")

    assert local > network
    assert local_latency < network_latency


@pytest.mark.aws_only
@pytest.mark.concept("instance-store.ephemeral")
def test_the_disk_of_the_host_is_the_same_after_a_reboot_and_another_one_after_a_stop(
    ec2: Any, outputs: dict[str, str], launch: Launch, run: Run, eventually: Eventually
) -> None:
    marker = uuid4().hex
    look = with_folder("/scratch", "cat /scratch/marker 2> /dev/null")

    with launch(outputs["LocalDiskId"]) as machine:
        run(machine, with_folder("/scratch", f"echo {marker} > /scratch/marker; sync"))
        before = run(machine, BOOT)

        ec2.reboot_instances(InstanceIds=[machine])
        eventually(lambda: run(machine, BOOT) not in ("", before), within=300)
        assert run(machine, look) == marker

        ec2.stop_instances(InstanceIds=[machine])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine])
        ec2.start_instances(InstanceIds=[machine])
        ec2.get_waiter("instance_status_ok").wait(InstanceIds=[machine])
        assert run(machine, with_folder("/scratch", "echo mounted")) == "mounted"
        assert run(machine, look) == ""


@pytest.mark.aws_only
@pytest.mark.concept("efs.many-instances")
def test_what_one_machine_writes_another_one_reads_in_another_zone(
    outputs: dict[str, str], run: Run
) -> None:
    marker = uuid4().hex
    file = f"/srv/media/{marker}"

    run(outputs["WebAId"], with_folder("/srv/media", f"echo {marker} > {file}"))
    try:
        assert run(outputs["WebBId"], with_folder("/srv/media", f"cat {file}")) == marker
    finally:
        run(outputs["WebAId"], f"rm --force {file}")


@pytest.mark.aws_only
@pytest.mark.concept("efs.use-case-shared-content")
def test_a_picture_that_one_web_server_takes_the_other_one_gives(
    outputs: dict[str, str], run: Run
) -> None:
    name = f"{uuid4().hex}.png"
    url = f"http://127.0.0.1:8080/media/{name}"
    give = "curl --silent --fail --retry 60 --retry-connrefused --retry-delay 2"

    sent = run(
        outputs["WebAId"],
        f"head --bytes 65536 /dev/urandom > /tmp/{name}; "
        f"{give} --upload-file /tmp/{name} {url} && sha256sum < /tmp/{name}; rm /tmp/{name}",
    )
    try:
        assert sent
        assert run(outputs["WebBId"], f"{give} {url} | sha256sum") == sent
    finally:
        run(outputs["WebAId"], f"rm --force /srv/media/{name}")
