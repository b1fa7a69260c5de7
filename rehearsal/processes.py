"""Child processes that cannot outlive the rehearsal."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.environment import ROOT


@dataclass
class Child:
    """A command in a session of its own, so that Ctrl-C reaches only the rehearsal.

    Attributes:
        log: What it writes, both streams.
    """

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    @property
    def succeeded(self) -> bool:
        """Whether it has ended with exit status 0."""
        return self.process.poll() == 0

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it, and what it has started that stayed in its process group."""
        # macOS answers "not permitted" where Linux says that there is nobody left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class Workshop:
    """A temporary directory and the processes at work in it: all gone on exit.

    A keeper process does the tidying, so that it is done also when this process is killed.
    """

    directory: Path

    def __enter__(self) -> Self:
        """Make the directory and start its keeper."""
        self._children: list[Child] = []
        with uninterrupted():
            self.directory = Path(tempfile.mkdtemp(prefix="rehearsal-"))
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "rehearsal.keeper", self.directory],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill what still runs, and have the keeper remove the directory."""
        for child in self._children.copy():
            self.end(child)
        assert self._keeper.stdin
        self._keeper.stdin.close()
        self._keeper.wait()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> Child:
        """Run a command beside this process.

        Args:
            name: Names its log.
            command: The program and its arguments.
            environment: All of its environment; nothing is inherited.
            cwd: The workshop's directory, unless given.
            stdin: ``subprocess.PIPE`` for a child that ends with its input.
        """
        log = self.directory / f"{name}.log"
        with log.open("wb") as output, uninterrupted():
            process = subprocess.Popen(
                command,
                cwd=cwd or self.directory,
                env=environment,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._tell_keeper(f"+{process.pid}")
            child = Child(process, log)
            self._children.append(child)
        return child

    def end(self, child: Child) -> None:
        """Kill the child if it still runs, and the stragglers of its process group."""
        child.kill()
        self._children.remove(child)
        self._tell_keeper(f"-{child.process.pid}")

    def _tell_keeper(self, news: str) -> None:
        assert self._keeper.stdin
        self._keeper.stdin.write(f"{news}\n".encode())
        self._keeper.stdin.flush()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back where it would lose track of a process that has just begun."""
    held_back: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, _: held_back.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if held_back:
            raise KeyboardInterrupt
