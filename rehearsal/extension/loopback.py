"""AWS clients for this very server, acting for the stack operation that is running.

Resource types are made through the services' public interfaces only. That is why their handlers
run on worker threads: the event loop has to be free to answer.
"""

import functools
import os
import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.extension import ministack

# A boto3 session loads its service models lazily and without a lock of its own.
_session_lock = threading.Lock()

_NOTHING_THERE = ("NotFound", "NoSuch", "DoesNotExist", "NonExistent", "Malformed")


def client(service: str, *, account: str | None = None, region: str | None = None) -> Any:
    """A boto3 client in the account and region of the running operation, or in those given."""
    return _client(service, account or ministack.account(), region or ministack.region())


@functools.cache
def _client(service: str, account: str, region: str) -> Any:
    with _session_lock:
        return boto3.session.Session().client(
            service,
            endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            region_name=region,
            # MiniStack takes a bare account number as that account's administrator.
            aws_access_key_id=account,
            aws_secret_access_key="rehearsal",
            config=Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60
            ),
        )


def is_gone(error: ClientError) -> bool:
    """Whether an error says that the resource is not there, in any service's words."""
    code = error.response.get("Error", {}).get("Code", "")
    return any(words in code for words in _NOTHING_THERE)
