"""What the exercise's servers say, over real connections to this machine."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from stacks.load_balancers.server import CLOSE, TEXT, accepted, receive, send, start

HERE = "127.0.0.1"
# The example of RFC 6455, section 1.3.
KEY, ACCEPTED = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    """Of HTTP, TCP and UDP."""
    servers = start(http=0, echo=0)
    yield [server.socket.getsockname()[1] for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_tells_its_address(ports: list[int]) -> None:
    with contextlib.closing(http.client.HTTPConnection(HERE, ports[0])) as connection:
        connection.request("GET", "/servers/?seconds=0.01")

        assert json.load(connection.getresponse()) == {"server": HERE}


def test_a_web_socket_says_back_every_message_until_it_is_closed(ports: list[int]) -> None:
    connection = socket.create_connection((HERE, ports[0]))
    with connection, connection.makefile("rwb") as stream:
        request = f"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        connection.sendall(request.encode())
        head = iter(lambda: stream.readline().decode().strip(), "")

        assert next(head).endswith(" 101 Switching Protocols")
        assert f"Sec-WebSocket-Accept: {ACCEPTED}" in list(head)
        for message in (b"one", b"two"):
            send(stream, TEXT, message, mask=b"mask")
            assert receive(stream) == (TEXT, message)
        send(stream, CLOSE, b"", mask=b"mask")
        assert receive(stream) == (CLOSE, b"")


def test_the_key_of_the_standard_is_accepted_as_it_says() -> None:
    assert accepted(KEY) == ACCEPTED


def test_it_says_back_a_line_with_the_address_of_who_said_it(ports: list[int]) -> None:
    connection = socket.create_connection((HERE, ports[1]))
    with connection, connection.makefile("rw") as stream:
        connection.sendall(b"hello\n")

        assert stream.readline() == f"{HERE} hello\n"


def test_it_says_back_a_datagram_with_the_address_of_who_sent_it(ports: list[int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.settimeout(5)
        connection.sendto(b"hello", (HERE, ports[2]))

        assert connection.recv(100) == f"{HERE} hello".encode()
