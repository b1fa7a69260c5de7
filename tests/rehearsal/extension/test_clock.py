"""The emulator's clock. It only goes forward, so nothing here relies on where it stands."""

import datetime
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from rehearsal.extension.clock import Clock
from tests.rehearsal.extension.conftest import Client, Server


def advance(server: Server, seconds: float) -> float:
    return float(server.request("POST", f"/_rehearsal/clock?advance={seconds}")["ahead"])


def eventually(probe: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 5
    while not (found := probe()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def test_moves_add_up(server: Server) -> None:
    before = advance(server, 0)

    assert advance(server, 60) == pytest.approx(before + 60)
    assert advance(server, 0.5) == pytest.approx(before + 60.5)


@pytest.mark.parametrize("seconds", ["-1", "soon", "", "nan", "inf"])
def test_time_does_not_go_back_or_nowhere(server: Server, seconds: str) -> None:
    before = advance(server, 0)

    with pytest.raises(urllib.error.HTTPError) as refused:
        server.request("POST", f"/_rehearsal/clock?advance={seconds}")

    with refused.value as error:
        assert error.code == 400
        assert "is not a number of seconds from 0" in error.read().decode()
    assert advance(server, 0) == before


def test_a_message_becomes_visible_again_without_the_wait(server: Server, client: Client) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="clock", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="once")
    assert sqs.receive_message(QueueUrl=queue)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)

    advance(server, 601)

    assert sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_queue(QueueUrl=queue)


def test_what_sleeps_in_the_emulator_wakes_when_it_is_due(server: Server, client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="clock",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_time_to_live(
        TableName="clock", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    expires = str(int(time.time() + advance(server, 0) + 3600))
    item = {"pk": {"S": "short-lived"}, "expires": {"N": expires}}
    dynamodb.put_item(TableName="clock", Item=item)

    # MiniStack looks for expired items once a minute, in its own time.
    advance(server, 3601)
    advance(server, 61)

    eventually(lambda: dynamodb.scan(TableName="clock")["Count"] == 0)
    dynamodb.delete_table(TableName="clock")


def test_dates_follow_as_well(server: Server, client: Client) -> None:
    ahead = advance(server, 3600)

    parameter = {"Name": "clock", "Value": "x", "Type": "String"}
    client("ssm").put_parameter(**parameter)

    changed = client("ssm").get_parameter(Name="clock")["Parameter"]["LastModifiedDate"]
    expected = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead)
    assert abs(changed - expected) < datetime.timedelta(seconds=30)
    client("ssm").delete_parameter(Name="clock")


def test_answers_are_dated_by_the_machine_s_clock(server: Server, client: Client) -> None:
    advance(server, 3600)

    told = client("sqs").list_queues()["ResponseMetadata"]["HTTPHeaders"]["date"]

    # The CDK CLI takes it for the time, and everything else for an error of its own clock.
    assert abs(parsedate_to_datetime(told).timestamp() - time.time()) < 60


def test_a_signed_url_expires_after_it_was_signed_not_before(
    server: Server, client: Client
) -> None:
    advance(server, 3600)
    s3 = client("s3")
    s3.create_bucket(Bucket="clock")
    s3.put_object(Bucket="clock", Key="x", Body=b"hello")
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "clock", "Key": "x"}, ExpiresIn=60
    )
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.read() == b"hello"

    advance(server, 61)

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=5)
    with refused.value as error:
        assert error.code == 403
    s3.delete_object(Bucket="clock", Key="x")
    s3.delete_bucket(Bucket="clock")


def test_a_sleeper_is_not_woken_before_its_time() -> None:
    clock = Clock()
    woken = threading.Event()

    def sleep() -> None:
        clock.sleep(100)
        woken.set()

    threading.Thread(target=sleep, daemon=True).start()

    clock.advance(50)
    assert not woken.wait(0.1)

    clock.advance(50)
    assert woken.wait(5)


def test_time_since_a_moment_counts_the_moves_after_it_only() -> None:
    now = 1_000_000.9
    clock = Clock(machine=lambda: now)
    clock.advance(1000)
    now = 1_000_001.2
    clock.advance(20)
    now = 1_000_005.0

    assert clock.elapsed_since(1_000_001) == 4
    assert clock.elapsed_since(1_000_000) == 25
    assert clock.elapsed_since(999_990) == 15 + 1020


def test_the_current_second_ends() -> None:
    assert Clock(machine=lambda: 7.25).seconds_to_next == 0.75
