"""How a gate says what it found."""

from collections.abc import Iterable

import pytest


def refuse(findings: Iterable[str]) -> None:
    """Fail with one finding a line, if there is any."""
    if lines := sorted(set(findings)):
        pytest.fail("\n".join(["", *lines]), pytrace=False)
