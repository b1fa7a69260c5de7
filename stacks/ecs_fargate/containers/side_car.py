"""The side-car: writes, every second, the page that the web container serves.

It runs as ``python -c`` with this text, so it is one file and imports the standard library only.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

PAGE = Path("/page/page.json")


def page(metadata: dict[str, Any], now: float) -> dict[str, Any]:
    """What is on the page.

    Args:
        metadata: Of the task, as ECS tells every container:
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
        now: In seconds.
    """
    return {"task": metadata["TaskARN"].rsplit("/", 1)[-1], "written_at": round(now)}


def replace(path: Path, content: dict[str, Any]) -> None:
    """Put a page in the place of the one before; whoever reads gets one of them, whole."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content))
    draft.replace(path)


def main() -> None:
    """Write until the task is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with urllib.request.urlopen(f"{os.environ['ECS_CONTAINER_METADATA_URI_V4']}/task") as answer:
        metadata = json.load(answer)
    while True:
        replace(PAGE, page(metadata, time.time()))
        time.sleep(1)


if __name__ == "__main__":
    main()
