"""The web container: serves the side-car's page, and the tasks that have been here.

It runs as ``python -c`` with this text, so it is one file and imports the standard library only.
"""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGE = Path("/page/page.json")
KEPT = Path("/kept")
PREFIX = "/fargate"


def sign_in(page: Path, kept: Path) -> None:
    """Leave a file with the task's name, for the tasks to come."""
    (kept / json.loads(page.read_text())["task"]).touch()


def answer(path: str, page: Path, kept: Path) -> tuple[int, dict[str, Any]]:
    """The status and the body of the answer to a request for ``path``.

    ``page`` goes with the task; what is in the folder ``kept`` stays, so ``tasks`` names this one
    and all before it.
    """
    if path == "/health":
        return 200, {}
    if path.split("?")[0].rstrip("/") != PREFIX:
        return 404, {"message": f"There is {PREFIX}/ only."}
    return 200, {
        "page": json.loads(page.read_text()),
        "tasks": sorted(entry.name for entry in kept.iterdir()),
    }


class Handler(BaseHTTPRequestHandler):
    """Answers GET with JSON."""

    def do_GET(self) -> None:
        """As http.server calls it."""
        status, body = answer(self.path, PAGE, KEPT)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until the task is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sign_in(PAGE, KEPT)
    ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
