"""A process that tidies up after the rehearsal, however the rehearsal ends.

``python -m rehearsal.keeper DIRECTORY`` is told on its standard input, line by line, which process
groups have begun (``+123``) and ended (``-123``). When the input ends, because the rehearsal closed
it or died, even by SIGKILL, it kills the groups that are left and removes the directory.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 5.0


def groups_left(lines: Iterable[str]) -> set[int]:
    """The process groups that have begun and not ended."""
    left: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            left.add(group)
        else:
            left.discard(group)
    return left


def tidy_up(groups: Iterable[int], directory: Path) -> None:
    """Kill the process groups, then remove the directory."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    # The killed may still be writing while they are torn down.
    deadline = time.monotonic() + PATIENCE_S
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.02)


if __name__ == "__main__":
    tidy_up(groups_left(sys.stdin), Path(sys.argv[1]))
