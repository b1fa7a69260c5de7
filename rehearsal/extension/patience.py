"""Answers about a stack are held back while the stack is being worked on.

The CDK CLI polls every five seconds and most operations here take a fraction of one: an answer
that comes late by that fraction saves the rest of the five seconds.
"""

import asyncio
import time
from xml.etree import ElementTree

from rehearsal.extension.asgi import (
    Application,
    Message,
    Receive,
    Send,
    answer_of,
    is_signed_for,
    operation_of,
    read,
)

LONGEST_S = 2.0
_POLL_S = 0.02
_PATIENT = {"DescribeStacks", "DescribeStackEvents", "DescribeChangeSet"}


def patient(app: Application) -> Application:
    """Have ``app`` keep back, for up to two seconds, answers that a stack is still in progress."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if not is_signed_for("cloudformation", scope):
            await app(scope, receive, send)
            return
        body = await read(receive)
        deadline = time.monotonic() + LONGEST_S
        answer = await answer_of(app, scope, body)
        if operation_of(body) in _PATIENT:
            while in_progress(answer.body) and time.monotonic() < deadline:
                await asyncio.sleep(_POLL_S)
                answer = await answer_of(app, scope, body)
        await answer.send(send)

    return wrapped


def in_progress(answer: bytes) -> bool:
    """Whether CloudFormation's answer, in XML, is about an operation that has not ended.

    ``REVIEW_IN_PROGRESS`` is none: it waits for its user, not for CloudFormation.
    """
    try:
        root = ElementTree.fromstring(answer)
    except ElementTree.ParseError:
        return False
    statuses = [_status_of_latest_stack_event(root)]
    for element in root.iter():
        if _name(element) in ("StackStatus", "Status", "ExecutionStatus"):
            statuses.append(element.text or "")
    return any(
        status.endswith(("_IN_PROGRESS", "CREATE_PENDING")) and status != "REVIEW_IN_PROGRESS"
        for status in statuses
    )


def _status_of_latest_stack_event(root: ElementTree.Element) -> str:
    """The newest event that is about the stack itself, not about one of its resources."""
    for member in root.iter():
        event = {_name(field): field.text or "" for field in member}
        if "EventId" in event and event.get("PhysicalResourceId") == event.get("StackId"):
            return event.get("ResourceStatus", "")
    return ""


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
