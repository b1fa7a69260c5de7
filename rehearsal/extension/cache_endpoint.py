"""What ElastiCache puts in front of the engine of a cache: TLS, and logins by IAM token."""

import asyncio
import functools
import logging
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

from rehearsal.extension import certificates
from rehearsal.extension.certificates import LOOPBACK

Exchange = Callable[[str, str], str]
"""The password that the engine knows, for a user and what that user gave as password."""

logger = logging.getLogger(__name__)


class CacheEndpoint:
    """An address on the loopback from which connections go on to a server, command by command.

    It serves on a thread of its own: MiniStack holds the event loop of the emulator now and then.

    Args:
        server_port: Of the engine, on the loopback.
        tls: Whether it speaks TLS, and nothing else.
        welcome: Called for every connection before it goes on, on some thread. May call back to
            the emulator. What it raises ends the connection.
    """

    def __init__(self, server_port: int, *, tls: bool, welcome: Callable[[], Exchange]) -> None:
        """Begin to listen, on a port of its own."""
        self._server_port = server_port
        self._welcome = welcome
        context = certificates.server_context() if tls else None
        listening = asyncio.start_server(self._serve, LOOPBACK, 0, ssl=context)
        self._listener = asyncio.run_coroutine_threadsafe(listening, _loop()).result()
        self.port: int = self._listener.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no longer. A connection ends when the server ends it."""
        _loop().call_soon_threadsafe(self._listener.close)

    async def _serve(self, requests: StreamReader, answers: StreamWriter) -> None:
        try:
            exchange = await asyncio.to_thread(self._welcome)
            server_answers, server = await asyncio.open_connection(LOOPBACK, self._server_port)
        except Exception as error:
            logger.warning("a connection to a cache is refused: %s", error)
            answers.close()
            return
        ways = (
            asyncio.ensure_future(_forward(requests, server, exchange)),
            asyncio.ensure_future(_copy(server_answers, answers)),
        )
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        server.close()
        answers.close()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()


async def _forward(source: StreamReader, target: StreamWriter, exchange: Exchange) -> None:
    while command := await _command(source):
        target.write(_serialized(_logging_in(command, exchange)))
        await target.drain()


async def _command(source: StreamReader) -> list[bytes]:
    """The next command, an array of bulk strings (https://valkey.io/topics/protocol/); or none."""
    header = await source.readline()
    if not header.startswith(b"*"):
        return []
    command = []
    for _ in range(int(header[1:])):
        size = int((await source.readline())[1:])
        command.append((await source.readexactly(size + 2))[:-2])
    return command


def _serialized(command: list[bytes]) -> bytes:
    parts = (b"$%d\r\n%s\r\n" % (len(part), part) for part in command)
    return b"*%d\r\n%s" % (len(command), b"".join(parts))


def _logging_in(command: list[bytes], exchange: Exchange) -> list[bytes]:
    """A command that logs in, with the password that the engine knows; any other as it is."""
    upper = [part.upper() for part in command]
    match upper:
        case [b"AUTH", _, _]:
            at = 1
        case [b"HELLO", _, *options] if b"AUTH" in options[:-2]:
            at = upper.index(b"AUTH", 2) + 1
        case _:
            return command
    user, password = (part.decode(errors="replace") for part in command[at : at + 2])
    return [*command[: at + 1], exchange(user, password).encode(), *command[at + 2 :]]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="cache endpoints", daemon=True).start()
    return loop
