"""Which execution environment a call runs in: Lambda tells a function everything but that."""

import itertools
import uuid

# Code outside of a handler runs once, when an environment starts.
ID = uuid.uuid4().hex
_calls = itertools.count(1)


def serve() -> dict[str, str | int]:
    """Count a call; tell this environment's id and how many calls it has served so far."""
    return {"id": ID, "calls": next(_calls)}
