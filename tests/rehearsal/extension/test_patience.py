import asyncio
import time
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from rehearsal.extension import patience
from rehearsal.extension.asgi import Application, Message, Receive, Send, answer_of
from rehearsal.extension.patience import in_progress, patient
from tests.rehearsal.extension.conftest import Client

BUSY, DONE = "CREATE_IN_PROGRESS", "CREATE_COMPLETE"


def answer(body: str) -> bytes:
    return f'<Answer xmlns="http://cloudformation.amazonaws.com/doc/">{body}</Answer>'.encode()


def request(service: str = "cloudformation") -> Message:
    credential = f"AWS4-HMAC-SHA256 Credential=1/20261123/us-east-1/{service}/aws4_request"
    headers = [(b"authorization", credential.encode())]
    return {"type": "http", "method": "POST", "path": "/", "headers": headers}


def answering(statuses: Iterator[str]) -> Application:
    """A server whose stack has these statuses, one after another."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        asked = await receive()
        assert asked["body"], "the request has lost its body"
        body = answer(f"<StackStatus>{next(statuses)}</StackStatus>")
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app


def ask(statuses: Iterator[str], operation: str, service: str = "cloudformation") -> bytes:
    body = f"Action={operation}&StackName=s".encode()
    return asyncio.run(answer_of(patient(answering(statuses)), request(service), body)).body


@pytest.mark.parametrize(
    "operation", ["DescribeStacks", "DescribeStackEvents", "DescribeChangeSet"]
)
def test_the_first_answer_about_a_stack_tells_how_it_ended(operation: str) -> None:
    assert DONE.encode() in ask(iter([BUSY, BUSY, DONE]), operation)


@pytest.mark.parametrize(
    ("operation", "service"), [("ListStacks", "cloudformation"), ("DescribeStacks", "sqs")]
)
def test_other_answers_come_at_once(operation: str, service: str) -> None:
    assert BUSY.encode() in ask(iter([BUSY, DONE]), operation, service)


def test_an_operation_that_takes_longer_is_told_to_be_in_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "LONGEST_S", 0.1)

    asked = time.monotonic()
    told = ask(repeat(BUSY), "DescribeStacks")

    assert BUSY.encode() in told
    assert time.monotonic() - asked >= 0.1


def test_who_waits_for_one_stack_keeps_nobody_else_waiting() -> None:
    async def ask_both() -> list[str]:
        answered: list[str] = []

        async def ask_one(name: str, app: Application) -> None:
            await answer_of(app, request(), b"Action=DescribeStacks")
            answered.append(name)

        slow = patient(answering(chain(repeat(BUSY, 5), repeat(DONE))))
        quick = patient(answering(repeat(DONE)))
        waiting = asyncio.create_task(ask_one("slow", slow))
        await asyncio.sleep(0)
        await asyncio.gather(waiting, ask_one("quick", quick))
        return answered

    assert asyncio.run(ask_both()) == ["quick", "slow"]


def test_a_stack_under_review_waits_for_its_user_not_for_cloudformation(client: Client) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_change_set(
        StackName="review",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    asked = time.monotonic()

    (stack,) = cloudformation.describe_stacks(StackName="review")["Stacks"]

    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert time.monotonic() - asked < patience.LONGEST_S
    cloudformation.delete_stack(StackName="review")


def event(physical_id: str, status: str) -> str:
    return (
        f"<member><EventId>1</EventId><StackId>stack</StackId><PhysicalResourceId>{physical_id}"
        f"</PhysicalResourceId><ResourceStatus>{status}</ResourceStatus></member>"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<StackStatus>UPDATE_IN_PROGRESS</StackStatus>", True),
        ("<StackStatus>UPDATE_COMPLETE_CLEANUP_IN_PROGRESS</StackStatus>", True),
        ("<StackStatus>UPDATE_COMPLETE</StackStatus>", False),
        ("<StackStatus>REVIEW_IN_PROGRESS</StackStatus>", False),
        ("<Status>CREATE_PENDING</Status>", True),
        ("<Status>CREATE_COMPLETE</Status>", False),
        (event("queue", "CREATE_COMPLETE") + event("stack", "CREATE_IN_PROGRESS"), True),
        (event("stack", "CREATE_COMPLETE") + event("stack", "CREATE_IN_PROGRESS"), False),
        (event("queue", "CREATE_IN_PROGRESS"), False),
    ],
)
def test_the_stack_counts_and_of_its_events_the_latest(body: str, expected: bool) -> None:
    assert in_progress(answer(body)) is expected


def test_what_is_no_xml_is_not_in_progress() -> None:
    assert not in_progress(b"CREATE_IN_PROGRESS")
