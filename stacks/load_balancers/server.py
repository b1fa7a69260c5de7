"""What runs on the servers that the exercise starts on AWS: HTTP, WebSocket and echo.

It is their user data, of 16 KB at most, and keeps to Python 3.9, which Amazon Linux 2023 has.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from socketserver import (
    DatagramRequestHandler,
    StreamRequestHandler,
    TCPServer,
    ThreadingTCPServer,
    ThreadingUDPServer,
)
from urllib.parse import parse_qs, urlsplit

TEXT, CLOSE = 1, 8
LONGEST_S = 60.0


class WebHandler(BaseHTTPRequestHandler):
    """Tells the server's address, after ``?seconds=``; as a WebSocket, says everything back."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, or change the protocol if the client asks for it."""
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._change_protocol()
            return
        given = parse_qs(urlsplit(self.path).query).get("seconds", ["0"])
        time.sleep(min(float(given[0]), LONGEST_S))
        body = json.dumps({"server": self.connection.getsockname()[0]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _change_protocol(self) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accepted(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        while (frame := receive(self.rfile))[0] != CLOSE:
            send(self.wfile, *frame)


class TcpEcho(StreamRequestHandler):
    """Says back the first line, after the address that it came from."""

    def handle(self) -> None:
        """Answer one connection."""
        self.wfile.write(f"{self.client_address[0]} ".encode() + self.rfile.readline())


class UdpEcho(DatagramRequestHandler):
    """Says back what is in the datagram, after the address that it came from."""

    def handle(self) -> None:
        """Answer one datagram."""
        self.wfile.write(f"{self.client_address[0]} ".encode() + self.rfile.read())


def accepted(key: str) -> str:
    """What a server answers to the key of a WebSocket client: RFC 6455, section 4.2.2."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode())
    return base64.b64encode(digest.digest()).decode()


def send(stream: BufferedIOBase, kind: int, payload: bytes, mask: bytes = b"") -> None:
    """Send a frame of at most 125 bytes; clients have to mask it, with 4 bytes."""
    masked = len(payload) | (0x80 if mask else 0)
    stream.write(bytes([0x80 | kind, masked]) + mask + _masked(payload, mask))
    stream.flush()


def receive(stream: BufferedIOBase) -> tuple[int, bytes]:
    """The kind and the payload of the next frame; the end of the stream closes too."""
    head = stream.read(2)
    if len(head) < 2:
        return CLOSE, b""
    mask = stream.read(4) if head[1] & 0x80 else b""
    return head[0] & 0x0F, _masked(stream.read(head[1] & 0x7F), mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if mask else payload


def start(http: int, echo: int) -> list[TCPServer]:
    """Serve on these ports, each in a thread of its own; 0 takes any that is free."""
    servers: list[TCPServer] = [
        ThreadingHTTPServer(("", http), WebHandler),
        ThreadingTCPServer(("", echo), TcpEcho),
        ThreadingUDPServer(("", echo), UdpEcho),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()
    return servers


if __name__ == "__main__":
    start(http=80, echo=7)
