"""Physical names for resources whose template gives none."""

import uuid

from rehearsal.extension.resource_type import Request


def generated_name(request: Request, *, longest: int = 64) -> str:
    """A name that tells the stack and the logical id, and is nobody else's.

    Args:
        request: The resource to name.
        longest: In characters; the end, which makes it unique, is what is kept.
    """
    suffix = uuid.uuid4().hex[:12]
    prefix = f"{request.stack}-{request.logical_id}-"
    return (prefix[: max(longest - len(suffix), 0)] + suffix)[:longest]
