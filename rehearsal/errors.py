"""What can go wrong in a way that the person at the keyboard can put right."""

from collections.abc import Iterable


class RehearsalError(Exception):
    """Stops the command. The message is all that is shown: what is wrong, what to do."""


def indented(lines: Iterable[str]) -> str:
    """The lines as a block below a sentence."""
    return "\n".join(f"  {line.rstrip()}" for line in lines)
