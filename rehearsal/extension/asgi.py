"""Requests and answers of the server, read whole: what changes an answer has to see all of it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def is_signed_for(service: str, scope: Message) -> bool:
    """Whether a request is a signed POST to a service, by the name it has in signatures."""
    credential = f"/{service}/aws4_request".encode()
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and any(
            name.lower() == b"authorization" and credential in value
            for name, value in scope["headers"]
        )
    )


def operation_of(body: bytes) -> str:
    """The operation that a request of AWS's query protocol asks for."""
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]


async def read(receive: Receive) -> bytes:
    """The whole body of a request."""
    body = b""
    while True:
        message = await receive()
        chunk: bytes = message.get("body", b"")
        body += chunk
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


async def answer_of(app: Application, scope: Message, body: bytes) -> "Answer":
    """What an application answers to a request whose body has been read."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Answer(messages)


class Answer:
    """An answer that has not been sent yet."""

    def __init__(self, messages: list[Message]) -> None:
        self._start = messages[0]
        self.body = b"".join(message.get("body", b"") for message in messages)

    @property
    def succeeded(self) -> bool:
        """Whether the request was one that could be answered."""
        return bool(self._start["status"] == 200)

    async def send(self, send: Send) -> None:
        """Send it, with the body that it has by now."""
        length = [(b"content-length", str(len(self.body)).encode())]
        others = [
            (name, value)
            for name, value in self._start["headers"]
            if name.lower() != b"content-length"
        ]
        await send({**self._start, "headers": [*others, *length]})
        await send({"type": "http.response.body", "body": self.body})
