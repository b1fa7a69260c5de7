"""Where the emulator serves an address that on AWS is a host name of its own."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

API_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
AWS_HOST = re.compile(r".+\.(amazonaws\.com|on\.aws|cloudfront\.net)")


@dataclass(frozen=True)
class Route:
    """How to reach an address: what to connect to, and the Host header to send there."""

    scheme: str
    netloc: str
    target: str
    host: str


def route(url: str, endpoint: str | None) -> Route:
    """The way to a URL.

    Args:
        url: As the stack's outputs or the SDK give it.
        endpoint: The emulator's address; None: on AWS, where names resolve.

    Raises:
        ValueError: In rehearsal, for an address outside of AWS: nothing leaves the machine.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if endpoint is None or parts.netloc == urlsplit(endpoint).netloc:
        return Route(parts.scheme, parts.netloc, target, parts.netloc)
    # The emulator's own names for some things: they resolve on some systems only.
    own = (parts.hostname or "").endswith(".localhost")
    if not own and not AWS_HOST.fullmatch(parts.netloc):
        raise ValueError(f"{url} is no address on AWS, and the rehearsal reaches no other")
    host = parts.netloc
    if match := API_HOST.fullmatch(host):
        # The emulator knows APIs under its own domain only.
        host = f"{match['api']}.execute-api.localhost"
    return Route("http", urlsplit(endpoint).netloc, target, host)
