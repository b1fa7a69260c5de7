import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import (
    ACCOUNT,
    ROOT,
    Resources,
    Server,
    Stack,
    start_server,
    stop_server,
)

# Tells what it sees of the machine, and stays until it is killed if it is asked to.
FUNCTION = """
import os, time

def handler(event, context):
    if event.get("stay"):
        time.sleep(600)
    return {"environment": dict(os.environ), "process": os.getpid()}
"""


def function_resources() -> Resources:
    policy = {"Version": "2012-10-17", "Statement": []}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "witness",
                "Code": {"ZipFile": FUNCTION},
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Timeout": 30,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    }


def invoke(client: Any, **event: Any) -> Any:
    answer = client.invoke(FunctionName="witness", Payload=json.dumps(event))
    return json.load(answer["Payload"])


def group_members(group: int) -> list[int]:
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members


def gone(group: int) -> bool:
    deadline = time.monotonic() + 5
    while group_members(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not group_members(group)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as user:
        user.setenv("AWS_SESSION_TOKEN", "the user's own")
        user.setenv("AWS_PROFILE", "production")
        server = start_server(tmp_path / "state")
    yield server
    stop_server(server)


def test_health_names_the_version_and_unknown_paths_are_refused(server: Server) -> None:
    assert server.request("GET", "/_rehearsal/health") == {"ministack": "1.5.33"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.request("GET", "/_rehearsal/nothing")
    with refused.value as error:
        assert error.code == 404


def test_the_tier_of_a_type_is_what_is_made_of_it(server: Server) -> None:
    tiers = server.request("GET", "/_rehearsal/tiers")

    assert tiers["AWS::SQS::Queue"] == "emulated"
    assert tiers["AWS::EC2::NatGateway"] == "emulated"
    assert tiers["AWS::MemoryDB::Cluster"] == "recorded"
    assert "AWS::Nothing::AtAll" not in tiers
    assert "Custom::Anything" not in tiers


def keep_busy(server: Server) -> None:
    """Leave the server with a function that runs, in a process of its own, for ten minutes."""
    stack = Stack(server.client("cloudformation"), "s").create(function_resources())
    assert stack.status == "CREATE_COMPLETE", stack.reasons
    lambda_ = server.client("lambda")
    witness = invoke(lambda_)
    lambda_.invoke(FunctionName="witness", InvocationType="Event", Payload='{"stay": true}')
    assert witness["process"] in group_members(server.process.pid)


def test_it_ends_with_its_input_and_takes_a_running_function_along(own_server: Server) -> None:
    keep_busy(own_server)

    assert own_server.process.stdin
    own_server.process.stdin.close()

    own_server.process.wait(5)
    assert gone(own_server.process.pid)


def test_a_function_sees_nothing_of_the_users_account_and_writes_below_the_state(
    own_server: Server,
) -> None:
    stack = Stack(own_server.client("cloudformation"), "s").create(function_resources())
    assert stack.status == "CREATE_COMPLETE", stack.reasons

    seen = invoke(own_server.client("lambda"))["environment"]

    assert "AWS_PROFILE" not in seen
    assert seen.get("AWS_SESSION_TOKEN", "") == ""
    assert seen["AWS_ACCESS_KEY_ID"] == "111111111111"
    assert seen["AWS_ENDPOINT_URL"] == own_server.url
    assert Path(seen["HOME"]) == own_server.state
    assert Path(seen["TMPDIR"]).is_relative_to(own_server.state)
    assert Path(seen["LAMBDA_TASK_ROOT"]).is_relative_to(own_server.state)
    assert (own_server.state / "server.log").stat().st_size > 0


def test_sigterm_ends_it_at_once_and_takes_a_running_function_along(own_server: Server) -> None:
    keep_busy(own_server)

    asked = time.monotonic()
    own_server.process.terminate()
    own_server.process.wait(5)

    assert time.monotonic() - asked < 2
    assert gone(own_server.process.pid)


def test_it_listens_on_the_loopback_and_on_its_port_only(own_server: Server) -> None:
    inodes = {
        str(link.readlink())
        for link in Path(f"/proc/{own_server.process.pid}/fd").iterdir()
        if link.is_symlink() and link.exists()
    }
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.add(fields[1])

    assert listening == {f"0100007F:{own_server.port:04X}"}


def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "rehearsal.server", "--port", str(port), "--state", tmp_path],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert ended.returncode != 0
    assert ended.stderr == f"port {port} is taken: choose another one with --port\n"


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("strict"), "--auth")
    yield server
    stop_server(server)


def user_client(server: Server, service: str, *, allowed: str) -> Any:
    """A client of a user, to whom policies apply as they do not to the account's own key."""
    iam, name = server.client("iam"), f"user-{time.monotonic_ns()}"
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def test_policies_are_enforced_when_asked_for_whatever_the_moved_clock_says(
    strict_server: Server,
) -> None:
    strict_server.request("POST", "/_rehearsal/clock?advance=86400")
    with pytest.raises(ClientError, match="AccessDenied"):
        user_client(strict_server, "dynamodb", allowed="s3:*").list_tables()


def test_policies_are_enforced_for_a_while_when_asked_for(server: Server) -> None:
    dynamodb = user_client(server, "dynamodb", allowed="s3:*")
    dynamodb.list_tables()

    try:
        assert server.request("POST", "/_rehearsal/policies?enforced=true") == {"enforced": True}
        with pytest.raises(ClientError, match="AccessDenied"):
            dynamodb.list_tables()
        bucket_that_demands_tls(user_client(server, "s3", allowed="s3:*"), "tls-for-a-while")
    finally:
        assert server.request("POST", "/_rehearsal/policies?enforced=false") == {"enforced": False}
    dynamodb.list_tables()


def test_whether_to_enforce_policies_is_said_in_no_other_words(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.request("POST", "/_rehearsal/policies?enforced=perhaps")
    with refused.value as error:
        assert error.code == 400
        assert json.load(error)["error"] == "enforced='perhaps' is neither true nor false"


def test_what_calls_the_server_itself_works_under_policies(strict_server: Server) -> None:
    resources: Resources = {
        "Cluster": {
            "Type": "AWS::MemoryDB::Cluster",
            "Properties": {
                "ClusterName": "strict",
                "NodeType": "db.t4g.small",
                "ACLName": "open-access",
            },
        },
        "Ip": {"Type": "AWS::EC2::EIP"},
    }

    stack = Stack(strict_server.client("cloudformation"), "s").create(resources)

    assert stack.status == "CREATE_COMPLETE", stack.reasons


def bucket_that_demands_tls(s3: Any, name: str) -> None:
    """Make one, and use it."""
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))

    s3.put_object(Bucket=name, Key="x", Body=b"y")

    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 1


def test_a_policy_that_demands_tls_sees_it(strict_server: Server) -> None:
    bucket_that_demands_tls(user_client(strict_server, "s3", allowed="s3:*"), "tls")


def test_unsigned_requests_act_in_the_rehearsals_account(server: Server) -> None:
    question = urllib.request.Request(
        server.url,
        data=b"Action=GetCallerIdentity&Version=2011-06-15",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    with urllib.request.urlopen(question, timeout=5) as answer:
        assert f"<Account>{ACCOUNT}</Account>" in answer.read().decode()
