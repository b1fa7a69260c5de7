"""Keeps one processor busy, and tells for how long."""

import time
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    started = time.perf_counter()
    primes = count_primes(event["below"])
    return {"primes": primes, "seconds": time.perf_counter() - started}


def count_primes(below: int) -> int:
    """Count the primes below a number by trial division: slow is the point."""
    return sum(
        all(number % divisor for divisor in range(2, int(number**0.5) + 1))
        for number in range(2, below)
    )
