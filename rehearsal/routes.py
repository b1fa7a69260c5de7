"""Where the emulator serves an address that on AWS is a host name of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

API_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
DISTRIBUTION_HOST = re.compile(r"[a-z0-9]+\.cloudfront\.net")
BALANCER_HOST = re.compile(r"(?P<name>[a-z0-9-]+)-[a-z0-9]+\.[a-z0-9-]+\.elb\.amazonaws\.com")
AWS_HOST = re.compile(r".+\.(amazonaws\.com|on\.aws|cloudfront\.net)")


@dataclass(frozen=True)
class Route:
    """How to reach an address: what to connect to, and the headers to send there."""

    scheme: str
    netloc: str
    target: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)


def route(url: str, endpoint: str | None, host: str | None = None) -> Route:
    """The way to a URL.

    Args:
        url: As the stack's outputs or the SDK give it.
        endpoint: The emulator's address; None: on AWS, where names resolve.
        host: The Host header to send, if not the URL's own: only load balancers listen to others.

    Raises:
        ValueError: In rehearsal, for an address outside of AWS: nothing leaves the machine.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if endpoint is None or parts.netloc == urlsplit(endpoint).netloc:
        return Route(parts.scheme, parts.netloc, target, host or parts.netloc)
    name = parts.hostname or ""
    # The emulator's own names for some things: they resolve on some systems only.
    if not name.endswith(".localhost") and not AWS_HOST.fullmatch(name):
        raise ValueError(f"{url} is no address on AWS, and the rehearsal reaches no other")
    if api := API_HOST.fullmatch(name):
        # The emulator knows APIs under its own domain only.
        host = f"{api['api']}.execute-api.localhost"
    elif host and (balancer := BALANCER_HOST.fullmatch(name)):
        # Under any other name it finds a load balancer by its path.
        target = f"/_alb/{balancer['name']}{target}"
    # Between a viewer and CloudFront the scheme matters; the emulator has no other.
    headers = {"X-Forwarded-Proto": parts.scheme} if DISTRIBUTION_HOST.fullmatch(name) else {}
    return Route("http", urlsplit(endpoint).netloc, target, host or parts.netloc, headers)
