"""The emulator's own time, which can be moved forward so that nobody waits for a retention to end.

It has to be installed before MiniStack is imported, whose modules take ``time`` and ``datetime``
as they find them. It covers this process only: functions run in processes of their own, and
clients sign their requests, by the machine's clock.
"""

import bisect
import datetime as datetime_module
import math
import threading
import time as time_module
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Self

machine_time = time_module.time


class Clock:
    """A clock that agrees with the machine's until it is moved; it never goes back.

    Args:
        machine: The machine's clock, in seconds since the epoch.
    """

    def __init__(self, machine: Callable[[], float] = machine_time) -> None:
        self._machine = machine
        self._moved = threading.Condition()
        # When it was moved, by the machine's clock, and how far ahead it has been since.
        self._moves: list[tuple[float, float]] = [(0.0, 0.0)]

    @property
    def ahead(self) -> float:
        """How many seconds it is ahead of the machine's clock."""
        return self._moves[-1][1]

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._machine() + self.ahead

    def time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return int(self.time() * 1e9)

    def gmtime(self, seconds: float | None = None, /) -> time_module.struct_time:
        """``time.gmtime``, of this clock when no time is given."""
        return _gmtime(self.time() if seconds is None else seconds)

    def sleep(self, seconds: float, /) -> None:
        """``time.sleep``, until this clock says so: moving it on wakes sleepers that are due."""
        deadline = self.time() + seconds
        with self._moved:
            while (remaining := deadline - self.time()) > 0:
                self._moved.wait(remaining)

    def wait_for(self, event: threading.Event, timeout: float | None) -> bool:
        """Wait until ``event``, one of ``ClockEvent``, is set or this clock is ``timeout`` on."""
        deadline = None if timeout is None else self.time() + timeout
        with self._moved:
            while not event.is_set():
                remaining = None if deadline is None else deadline - self.time()
                if remaining is not None and remaining <= 0:
                    break
                self._moved.wait(remaining)
        return event.is_set()

    def notify(self) -> None:
        """Have those who wait look again whether there is anything to wait for."""
        with self._moved:
            self._moved.notify_all()

    def advance(self, seconds: float) -> float:
        """Move the clock forward.

        Args:
            seconds: 0 or more.

        Returns:
            How many seconds it is now ahead of the machine's clock.

        Raises:
            ValueError: Time does not go back.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"the clock can only be moved forward, not by {seconds} seconds")
        with self._moved:
            # Signatures know whole seconds only: what is signed from here on comes after the move.
            self._moves.append((math.floor(self._machine()), self.ahead + seconds))
            self._moved.notify_all()
            return self.ahead

    @property
    def seconds_to_next(self) -> float:
        """How long the machine's current second lasts, above 0 to 1."""
        return 1 - self._machine() % 1

    def elapsed_since(self, machine_moment: float) -> float:
        """Seconds of this clock since a moment of the machine's, which a client has noted.

        A move counts as made at the beginning of its second.
        """
        before = bisect.bisect_right(self._moves, (machine_moment, float("inf"))) - 1
        return self.time() - (machine_moment + self._moves[before][1])


class ClockEvent(threading.Event):
    """A ``threading.Event`` whose timeouts are those of a ``Clock``, and end when it is moved."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def set(self) -> None:
        """Let everybody who waits go on."""
        super().set()
        self._clock.notify()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, or the clock is ``timeout`` seconds on."""
        return self._clock.wait_for(self, timeout)


_gmtime = time_module.gmtime


def install() -> Clock:
    """Put this process on a clock of its own; before MiniStack is imported, once."""
    clock = Clock()

    class AnyDatetime(type):
        # Values made before, or by C code, are of the real class.
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class MovedDatetime(datetime, metaclass=AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.time(), tz)

        @classmethod
        def utcnow(cls) -> Self:
            return cls.fromtimestamp(clock.time(), datetime_module.UTC).replace(tzinfo=None)

    MovedDatetime.__name__ = MovedDatetime.__qualname__ = datetime.__name__
    datetime_module.datetime = MovedDatetime  # type: ignore[misc]
    time_module.time = clock.time
    time_module.time_ns = clock.time_ns
    time_module.gmtime = clock.gmtime  # type: ignore[assignment]
    time_module.sleep = clock.sleep  # type: ignore[assignment]
    return clock
