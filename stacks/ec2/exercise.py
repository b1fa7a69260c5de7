"""See the web server work: ``make rehearse BLUEPRINT=ec2``, or ``make exercise`` once on AWS.

On AWS it reboots the machine, bakes an image of it, starts two more machines for some minutes and
moves the first one into another security group for moments: a few cents.
"""

import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, Fetch
from rehearsal.systems_manager import run_command

ANYWHERE = "0.0.0.0/0"
APP_SERVER = (
    "#!/bin/bash\ncd $(mktemp -d) && echo hello > index.html && python3 -m http.server 8080\n"
)

Description = dict[str, Any]
Run = Callable[[str], str]


@pytest.fixture(scope="module")
def ec2(client: Client) -> Any:
    """EC2's client."""
    return client("ec2")


@pytest.fixture
def machine(ec2: Any, outputs: dict[str, str]) -> Description:
    """The deployed instance, as EC2 describes it."""
    return instance(ec2, outputs["InstanceId"])


@pytest.fixture
def groups(ec2: Any, outputs: dict[str, str]) -> dict[str, Description]:
    """The deployed security groups, by name."""
    ids = {name: outputs[f"{name}GroupId"] for name in ("Web", "App")}
    described = ec2.describe_security_groups(GroupIds=list(ids.values()))["SecurityGroups"]
    by_id = {group["GroupId"]: group for group in described}
    return {name: by_id[identifier] for name, identifier in ids.items()}


@pytest.fixture
def run(client: Client, outputs: dict[str, str], eventually: Eventually) -> Run:
    """Run a command on the machine, and get what it printed."""
    return lambda command: run_command(client("ssm"), eventually, outputs["InstanceId"], command)


@pytest.fixture
def page(fetch: Fetch, outputs: dict[str, str], eventually: Eventually) -> Callable[[], str]:
    """What the web server answers, once it does."""

    def read() -> str:
        return eventually(lambda: answer_of(fetch, outputs["Url"]), within=300)

    return read


@pytest.fixture
def launch(ec2: Any, machine: Description, outputs: dict[str, str]) -> Iterator[Callable[..., str]]:
    """Launch more machines beside the deployed one; they go when the test ends."""
    launched: list[str] = []

    def start(group: str, **choices: Any) -> str:
        instances = ec2.run_instances(
            LaunchTemplate={
                "LaunchTemplateId": outputs["LaunchTemplateId"],
                "Version": "$Latest",
            },
            InstanceType=machine["InstanceType"],
            SubnetId=machine["SubnetId"],
            SecurityGroupIds=[group],
            MinCount=1,
            MaxCount=1,
            **choices,
        )["Instances"]
        launched.append(instances[0]["InstanceId"])
        ec2.get_waiter("instance_running").wait(InstanceIds=launched)
        return launched[-1]

    yield start
    if launched:
        ec2.terminate_instances(InstanceIds=launched)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=launched)


@pytest.fixture
def baked_image(ec2: Any, machine: Description) -> Iterator[str]:
    """An image of the machine as it is now."""
    image = ec2.create_image(
        InstanceId=machine["InstanceId"], Name=f"exercise-{uuid4().hex[:8]}", NoReboot=False
    )["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image])
    [described] = ec2.describe_images(ImageIds=[image])["Images"]
    yield image
    ec2.deregister_image(ImageId=image)
    for disk in described["BlockDeviceMappings"]:
        if "Ebs" in disk:
            ec2.delete_snapshot(SnapshotId=disk["Ebs"]["SnapshotId"])


@pytest.fixture
def new_group(ec2: Any, machine: Description) -> Iterator[str]:
    """A security group that nobody gave a rule."""
    group: str = ec2.create_security_group(
        GroupName=f"exercise-{uuid4().hex[:8]}",
        Description="The exercise of the ec2 blueprint",
        VpcId=machine["VpcId"],
    )["GroupId"]
    yield group
    ec2.delete_security_group(GroupId=group)


def instance(ec2: Any, identifier: str) -> Description:
    [reservation] = ec2.describe_instances(InstanceIds=[identifier])["Reservations"]
    [described] = reservation["Instances"]
    assert isinstance(described, dict)
    return described


def answer_of(fetch: Fetch, url: str) -> str | None:
    """The page; None while nobody accepts the connection or nginx has another one."""
    try:
        answer = fetch(url)
    except OSError:
        return None
    return answer.body if answer.status == 200 and answer.body.startswith("Set up at") else None


def members(shape: Any) -> set[str]:
    """The names of all that a request can say, at whatever depth."""
    match shape.type_name:
        case "structure":
            inner = (members(each) for each in shape.members.values())
            return set(shape.members).union(*inner)
        case "list":
            return members(shape.member)
    return set()


def test_the_machine_runs_in_public_without_a_key_and_wants_a_token_for_its_metadata(
    machine: Description, outputs: dict[str, str]
) -> None:
    assert machine["State"]["Name"] == "running"
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert not machine.get("KeyName")
    assert [group["GroupId"] for group in machine["SecurityGroups"]] == [outputs["WebGroupId"]]
    assert outputs["Url"] == f"http://{machine['PublicIpAddress']}/"


def test_the_machine_has_the_script_that_sets_it_up(ec2: Any, machine: Description) -> None:
    attribute = ec2.describe_instance_attribute(
        InstanceId=machine["InstanceId"], Attribute="userData"
    )
    script = b64decode(attribute["UserData"]["Value"]).decode()

    assert script.startswith("#!/bin/bash\n")
    assert "dnf install --assumeyes nginx" in script


def test_one_group_lets_everybody_in_on_port_80_and_the_other_lets_in_its_members(
    groups: dict[str, Description],
) -> None:
    [everybody] = groups["Web"]["IpPermissions"]
    assert [each["CidrIp"] for each in everybody["IpRanges"]] == [ANYWHERE]
    assert (everybody["FromPort"], everybody["ToPort"]) == (80, 80)

    [from_web] = groups["App"]["IpPermissions"]
    assert not from_web["IpRanges"]
    assert [pair["GroupId"] for pair in from_web["UserIdGroupPairs"]] == [groups["Web"]["GroupId"]]
    assert (from_web["FromPort"], from_web["ToPort"]) == (8080, 8080)


@pytest.mark.concept("ec2.sg-allow-only")
def test_who_adds_a_rule_cannot_say_deny_and_what_no_rule_names_is_not_let_in(
    ec2: Any, groups: dict[str, Description]
) -> None:
    model = ec2.meta.service_model
    sayable = members(model.operation_model("AuthorizeSecurityGroupIngress").input_shape)
    assert {"IpProtocol", "FromPort", "CidrIp"} <= sayable
    assert not {"RuleAction", "Effect", "Action", "Deny"} & sayable
    # In a network ACL one can.
    assert "RuleAction" in model.operation_model("CreateNetworkAclEntry").input_shape.members

    rules = ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group["GroupId"] for group in groups.values()]}]
    )["SecurityGroupRules"]
    incoming = {
        (rule["GroupId"], rule["FromPort"], rule["ToPort"])
        for rule in rules
        if not rule["IsEgress"]
    }
    assert incoming == {
        (groups["Web"]["GroupId"], 80, 80),
        (groups["App"]["GroupId"], 8080, 8080),
    }


@pytest.mark.concept("ec2.sg-defaults")
def test_a_new_group_lets_nothing_in_and_everything_out(ec2: Any, new_group: str) -> None:
    [group] = ec2.describe_security_groups(GroupIds=[new_group])["SecurityGroups"]

    assert group["IpPermissions"] == []
    [out] = group["IpPermissionsEgress"]
    assert out["IpProtocol"] == "-1"
    assert [each["CidrIp"] for each in out["IpRanges"]] == [ANYWHERE]


@pytest.mark.concept("ec2.sg-defaults")
def test_the_vpcs_own_group_lets_its_members_in_too(ec2: Any, machine: Description) -> None:
    [default] = ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [machine["VpcId"]]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]

    [rule] = default["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [default["GroupId"]]
    assert not rule["IpRanges"]


@pytest.mark.concept("ec2.sg-defaults")
def test_rules_of_a_template_replace_the_one_that_lets_everything_out(
    groups: dict[str, Description],
) -> None:
    def out(group: Description) -> list[str]:
        return [
            each["CidrIp"] for rule in group["IpPermissionsEgress"] for each in rule["IpRanges"]
        ]

    assert out(groups["Web"]) == [ANYWHERE]
    assert out(groups["App"]) == ["255.255.255.255/32"]


@pytest.mark.aws_only
@pytest.mark.concept("ec2.virtual-machine")
def test_the_machine_runs_and_says_which_architecture_it_has(
    machine: Description, run: Run
) -> None:
    assert machine["State"]["Name"] == "running"
    assert run("uname --machine").replace("aarch64", "arm64") == machine["Architecture"]


@pytest.mark.aws_only
@pytest.mark.concept("ec2.user-data")
def test_after_a_reboot_the_page_has_the_same_stamp(
    ec2: Any, machine: Description, page: Callable[[], str], run: Run, eventually: Eventually
) -> None:
    stamp = page()
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = run(boot)

    ec2.reboot_instances(InstanceIds=[machine["InstanceId"]])

    eventually(lambda: run(boot) not in ("", before), within=300)
    assert page() == stamp


@pytest.mark.aws_only
@pytest.mark.concept("ec2.ami")
def test_a_machine_from_a_baked_image_has_the_software_although_no_script_ran(
    ec2: Any,
    outputs: dict[str, str],
    page: Callable[[], str],
    baked_image: str,
    launch: Callable[..., str],
    fetch: Fetch,
    eventually: Eventually,
) -> None:
    copy = instance(ec2, launch(outputs["WebGroupId"], ImageId=baked_image))

    url = f"http://{copy['PublicIpAddress']}/"
    stamp_of_copy = eventually(lambda: answer_of(fetch, url), within=300)

    assert stamp_of_copy == page()


@pytest.mark.aws_only
@pytest.mark.concept("ec2.security-group-firewall")
def test_from_outside_the_web_port_answers_and_any_other_is_silent(
    page: Callable[[], str], outputs: dict[str, str]
) -> None:
    assert page()
    address = str(urlsplit(outputs["Url"]).hostname)

    # The SSH server of the image listens there; without the group, somebody would answer.
    with pytest.raises(TimeoutError):
        socket.create_connection((address, 22), timeout=10)


@pytest.mark.aws_only
@pytest.mark.concept("ec2.sg-sources", "ec2.security-group-firewall")
def test_only_a_member_of_the_source_group_gets_an_answer_which_needs_no_rule_of_its_own(
    ec2: Any,
    machine: Description,
    outputs: dict[str, str],
    new_group: str,
    launch: Callable[..., str],
    run: Run,
    eventually: Eventually,
) -> None:
    server = instance(
        ec2, launch(outputs["AppGroupId"], ImageId=machine["ImageId"], UserData=APP_SERVER)
    )
    ask = f"curl --silent --max-time 5 http://{server['PrivateIpAddress']}:8080/"
    eventually(lambda: run(ask) == "hello", within=180)

    move = ec2.modify_instance_attribute
    move(InstanceId=machine["InstanceId"], Groups=[new_group])
    try:
        eventually(lambda: run(ask) == "", within=60)
    finally:
        move(InstanceId=machine["InstanceId"], Groups=[outputs["WebGroupId"]])
    eventually(lambda: run(ask) == "hello", within=60)
