from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from rehearsal.systems_manager import run_command

MACHINE = "i-0123456789abcdef0"
COMMAND_ID = "01234567-89ab-cdef-0123-456789abcdef"
INVOCATION = {"CommandId": COMMAND_ID, "InstanceId": MACHINE}
REPORTS = {"Filters": [{"Key": "InstanceIds", "Values": [MACHINE]}]}
SENT = {
    "InstanceIds": [MACHINE],
    "DocumentName": "AWS-RunShellScript",
    "Parameters": {"commands": ["uptime"]},
}


@pytest.fixture
def ssm() -> Any:
    return boto3.client(
        "ssm", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


@pytest.fixture
def stubber(ssm: Any) -> Iterator[Stubber]:
    with Stubber(ssm) as stubber:
        yield stubber


def thrice(probe: Callable[[], Any], within: float = 30.0) -> Any:
    return probe() or probe() or probe()


def test_it_waits_for_the_machine_and_for_the_end_and_tells_what_was_printed(
    ssm: Any, stubber: Stubber
) -> None:
    stubber.add_response("describe_instance_information", {"InstanceInformationList": []}, REPORTS)
    stubber.add_response(
        "describe_instance_information",
        {"InstanceInformationList": [{"InstanceId": MACHINE}]},
        REPORTS,
    )
    stubber.add_response("send_command", {"Command": {"CommandId": COMMAND_ID}}, SENT)
    stubber.add_client_error("get_command_invocation", "InvocationDoesNotExist")
    stubber.add_response("get_command_invocation", {"Status": "InProgress"}, INVOCATION)
    stubber.add_response(
        "get_command_invocation",
        {"Status": "Success", "StandardOutputContent": "up 3 days\n"},
        INVOCATION,
    )

    assert run_command(ssm, thrice, MACHINE, "uptime") == "up 3 days"
    stubber.assert_no_pending_responses()


def test_what_a_failed_command_printed_is_told_too(ssm: Any, stubber: Stubber) -> None:
    stubber.add_response(
        "describe_instance_information", {"InstanceInformationList": [{"InstanceId": MACHINE}]}
    )
    stubber.add_response("send_command", {"Command": {"CommandId": COMMAND_ID}})
    stubber.add_response(
        "get_command_invocation", {"Status": "Failed", "StandardOutputContent": ""}
    )

    assert run_command(ssm, thrice, MACHINE, "uptime") == ""
