"""Reads a document from S3, which it downloads once per execution environment."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import boto3

# From the layer: nothing in this folder has it.
import execution_environment  # type: ignore[import-not-found]

s3 = boto3.client("s3")
# On Lambda it is /tmp, the only folder a function may write to.
SCRATCH = Path(tempfile.gettempdir())


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    copy = scratch_file(event["key"])
    downloaded = not copy.exists()
    if downloaded:
        s3.download_file(os.environ["BUCKET_NAME"], event["key"], str(copy))
    return {
        "text": copy.read_text(),
        "downloaded": downloaded,
        "environment": execution_environment.serve(),
        "scratch_mib": shutil.disk_usage(SCRATCH).total // 1024**2,
    }


def scratch_file(key: str) -> Path:
    """Where the copy of an object lies: a key may have slashes, or dots that lead elsewhere."""
    return SCRATCH / hashlib.sha256(key.encode()).hexdigest()
