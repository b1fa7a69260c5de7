"""The local AWS as a process: ``python -m rehearsal.server --port 4566 --state DIRECTORY``.

It lives as long as its standard input is open, so it cannot outlive whoever started it, and it
takes everything that it started with it. What it writes, it writes into the state directory.
"""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rehearsal.extension.asgi import Application, Message, Receive, Send

ACCOUNT = "111111111111"
REGION = "us-east-1"
_PROJECT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input ends or the process is told to stop."""
    options = _options(arguments)
    state = options.state.resolve()
    if not _is_free(options.port):
        sys.exit(f"port {options.port} is taken: choose another one with --port")
    _die_together()
    (state / "tmp").mkdir(parents=True, exist_ok=True)
    _replace_environment(_environment(options.port, state, auth=options.auth))
    _log_to(state / "server.log")
    asyncio.run(_serve(options.port, state))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.server", allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument(
        "--state", type=Path, required=True, help="a directory to delete afterwards"
    )
    parser.add_argument("--auth", action="store_true", help="enforce policies and signatures")
    return parser.parse_args(arguments)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _die_together() -> None:
    """Make one group of this process and all it starts, and end it at once when it is time.

    There is nothing to save, and a function that hangs would keep a polite shutdown waiting.
    """
    if os.getpgrp() != os.getpid():
        os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: _end_group())
    signal.signal(signal.SIGINT, lambda *_: _end_group())

    def end_with_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        _end_group()

    threading.Thread(target=end_with_input, name="parent", daemon=True).start()


def _end_group() -> NoReturn:
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise AssertionError("killed")


def _environment(port: int, state: Path, *, auth: bool) -> dict[str, str]:
    """All that MiniStack, and the functions it runs, get to see of this machine.

    Functions run as processes with the server's environment; a credential in it would be theirs.
    """
    node = shutil.which("node")
    programs = [*([str(Path(node).parent)] if node else []), str(Path(sys.executable).parent)]
    return {
        "PATH": os.pathsep.join([*programs, "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(state),
        "TMPDIR": str(state / "tmp"),
        "LANG": "C.UTF-8",
        # CDK's own custom resources are written for Node.js, with the AWS SDK at hand.
        "NODE_PATH": str(_PROJECT / "node_modules"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_PORT": str(port),
        # Its databases get the ports after its own, which no other rehearsal looks for.
        "RDS_BASE_PORT": str(port + 1),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AUTH": str(auth).lower(),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # No container is ever started: the socket is looked for where none can be.
        "DOCKER_HOST": f"unix://{state / 'no-docker.sock'}",
    }


def _replace_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _log_to(file: Path) -> None:
    """Everything into a file; what needs attention to standard error as well."""
    attention = logging.StreamHandler()
    attention.setLevel(logging.ERROR)
    # MiniStack sets up logging of its own unless somebody has.
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s [%(name)s] %(message)s",
        handlers=[logging.FileHandler(file), attention],
    )


async def _serve(port: int, state: Path) -> None:
    # MiniStack takes the environment and the clock as they are when it is first imported.
    from rehearsal.extension.clock import install as install_clock

    clock = install_clock()

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from rehearsal.extension import catalogue, ministack
    from rehearsal.extension.clusters import with_clusters
    from rehearsal.extension.control import controlled
    from rehearsal.extension.databases import with_databases
    from rehearsal.extension.patience import patient
    from rehearsal.extension.supplements import supplementing
    from rehearsal.extension.viewer_signatures import checking_signatures

    try:
        ministack.accept_machine_time(clock)
        ministack.check()
        ministack.time_out_tasks(clock)
    except ministack.MiniStackChangedError as error:
        sys.exit(str(error))
    app = with_databases(supplementing(patient(ministack.application())), state)
    app = with_clusters(app, state)
    app = checking_signatures(app)
    app = _dated_by_machine(_as_https_for_policies(app))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.include_date_header = False
    config.loglevel = "WARNING"
    await serve(
        controlled(app, catalogue.install(), clock),  # type: ignore[arg-type]
        config,
        shutdown_trigger=asyncio.Event().wait,
    )


def _as_https_for_policies(app: "Application") -> "Application":
    """Let policies that demand TLS see it, on a loopback where there is nothing to encrypt.

    CDK's bootstrap bucket is one: it denies everything that does not come over TLS.
    """
    from rehearsal.extension import ministack

    async def wrapped(scope: "Message", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "http" and ministack.policies_are_enforced():
            scope = {**scope, "scheme": "https"}
        await app(scope, receive, send)

    return wrapped


def _dated_by_machine(app: "Application") -> "Application":
    """Let no answer tell the moved clock's time.

    The CDK CLI would set its own clock by it: its signatures would come from the future, and it
    would take every error for one of its clock, and try again for half a minute.
    """
    from rehearsal.extension.clock import machine_time

    async def wrapped(scope: "Message", receive: "Receive", send: "Send") -> None:
        async def dated(message: "Message") -> None:
            if message["type"] == "http.response.start":
                date = formatdate(machine_time(), usegmt=True).encode()
                others = [each for each in message["headers"] if each[0].lower() != b"date"]
                message = {**message, "headers": [*others, (b"date", date)]}
            await send(message)

        await app(scope, receive, dated)

    return wrapped


if __name__ == "__main__":
    main()
