"""A web application that says which version of it answers.

Beanstalk's Python platform serves the callable ``application`` of ``application.py``:
https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/create-deploy-python-container.html
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

VERSION = (Path(__file__).parent / "VERSION").read_text().strip()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer every GET alike: the load balancer's health check asks like a visitor."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("405 Method Not Allowed", [("Allow", "GET, HEAD")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"version {VERSION}".encode()]
