"""The local AWS as a child process."""

import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rehearsal.environment import ROOT, isolated_environment
from rehearsal.errors import RehearsalError, indented
from rehearsal.processes import Child, Workshop

SERVER = (sys.executable, "-m", "rehearsal.server")
LOOPBACK = "127.0.0.1"
# Below what Linux and macOS give to outgoing connections.
UNASSIGNED = (20000, 32000)
START_S = 30.0
STOP_S = 3.0
END_S = 0.5
COMMAND_S = 900.0
POLL_S = 0.05
STATE = "emulator"


class EmulatorDiedError(RehearsalError):
    """The emulator ended although nobody had stopped it."""


class Emulator:
    """A local AWS on a loopback port, with a state of its own that ends with it.

    Args:
        workshop: Holds the emulator's state and its log.
        port: A free one, unless given.
        server: The command that serves, to which the port and the state directory are added.
    """

    port: int
    version: str

    def __init__(
        self, workshop: Workshop, port: int | None = None, server: Sequence[str] = SERVER
    ) -> None:
        self._workshop = workshop
        self._server = server
        self.port = _free_port() if port is None else _taken_by_nobody(port)

    @property
    def endpoint(self) -> str:
        """The address that AWS clients are given. See ``rehearsal_environment`` for its form."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._child.running

    def __enter__(self) -> Self:
        """Start the server. It is not ready yet; ``wait_until_ready`` knows."""
        state = self._workshop.directory / STATE
        state.mkdir()
        self._child = self._workshop.start(
            "emulator",
            [*self._server, "--port", str(self.port), "--state", str(state)],
            environment=isolated_environment(state) | {"PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            # It ends with its input, so also when nobody is left to stop it.
            stdin=subprocess.PIPE,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server, by force if it does not care to.

        Raises:
            EmulatorDiedError: In place of whatever went wrong because it had ended by itself.
        """
        if isinstance(error, Exception) and not isinstance(error, RehearsalError):
            # It may have closed its port and not quite ended.
            with suppress(subprocess.TimeoutExpired):
                self._child.process.wait(END_S)
            self._check()
        process = self._child.process
        assert process.stdin
        process.stdin.close()
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        self._workshop.end(self._child)

    def wait_until_ready(self) -> None:
        """Return once the server answers, and know its version.

        Raises:
            EmulatorDiedError: It ended instead.
            RehearsalError: It does not answer within half a minute.
        """
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self._check()
            with suppress(OSError):
                self.version = self._get("/_rehearsal/health")["ministack"]
                return
            time.sleep(POLL_S)
        raise RehearsalError(
            f"the emulator does not answer on {self.endpoint} after {START_S:.0f} s; "
            f"its log ends:\n{self._last_lines()}"
        )

    def tiers(self) -> dict[str, str]:
        """What the emulator makes of each resource type it knows: ``emulated`` or ``recorded``."""
        return dict(self._get("/_rehearsal/tiers"))

    def attend(self, child: Child, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until a child that talks to the emulator has ended.

        Args:
            child: If this raises it still runs, until its workshop ends.
            meanwhile: Called again and again, and once more in the end.

        Raises:
            EmulatorDiedError: The emulator ended first.
            RehearsalError: The child is not done after a quarter of an hour.
        """
        deadline = time.monotonic() + COMMAND_S
        while child.running:
            if time.monotonic() > deadline:
                raise RehearsalError(
                    f"{child.log.stem} is not done after {COMMAND_S:.0f} s; its log ends:\n"
                    + indented(child.output.splitlines()[-10:])
                )
            self._check()
            meanwhile()
            time.sleep(POLL_S)
        meanwhile()
        self._check()
        self._workshop.end(child)

    def _check(self) -> None:
        if not self.running:
            status = self._child.process.returncode
            raise EmulatorDiedError(
                f"the emulator ended (exit status {status}) although it was not stopped; "
                f"its log ends:\n{self._last_lines()}"
            )

    def _last_lines(self) -> str:
        own = self._workshop.directory / STATE / "server.log"
        logged = own.read_text(errors="replace") if own.exists() else ""
        return indented((logged + self._child.output).splitlines()[-10:])

    def _get(self, path: str) -> Any:
        # Not through a proxy that the user's environment may name.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.endpoint}{path}", timeout=5) as answer:
            return json.load(answer)


def _free_port() -> int:
    """A port that no outgoing connection takes either, before the server gets to it."""
    while True:
        port = random.randrange(*UNASSIGNED)
        if _is_free(port):
            return port


def _taken_by_nobody(port: int) -> int:
    if not 1024 <= port <= 65535:
        raise RehearsalError(f"port {port} will not do; give one from 1024 to 65535")
    if not _is_free(port):
        raise RehearsalError(
            f"port {port} is taken by another program; choose another one with --port, "
            "or leave --port out and a free one is found"
        )
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # The server does the same: it allows a port whose last connections have just ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
