"""The one place that names what MiniStack does not promise to keep.

Everything else goes through AWS's own interfaces, over HTTP, like any other client. When an
upgrade of MiniStack takes one of these names away, ``check`` says so before anything starts.
"""

import importlib
import importlib.metadata
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from rehearsal.extension.clock import Clock, ClockEvent, machine_time

Handler = dict[str, Any]
"""The functions of one resource type: create, update, delete, and flags."""


class PrivateName(NamedTuple):
    """A name this module takes from MiniStack, and what is lost without it."""

    module: str
    name: str
    purpose: str


_CLOUDFORMATION = "ministack.services.cloudformation"

PRIVATE_NAMES = (
    PrivateName("ministack.app", "app", "the server itself"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS", "adding resource types"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_REPLACING_PROPERTIES", "replacing resources"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_STACK_TAG_PROPERTY", "tags of the stack"),
    PrivateName(f"{_CLOUDFORMATION}.stacks", "_runs_on_worker_thread", "calls back to the server"),
    PrivateName("ministack.core.responses", "get_account_id", "the account of a request"),
    PrivateName("ministack.core.responses", "get_region", "the region of a request"),
    PrivateName("ministack.core.sigv4", "request_time_failure", "signatures and a moved clock"),
    PrivateName("ministack.core.sigv4", "presigned_request_is_expired", "expiry of signed URLs"),
    PrivateName("ministack.services.ec2", "_network_acls", "default network ACLs"),
    PrivateName("ministack.services.ssm", "_PUBLIC_AMI_PARAMETERS", "public parameters of images"),
    PrivateName("ministack.services.stepfunctions", "threading", "timeouts and a moved clock"),
)


class MiniStackChangedError(Exception):
    """The installed MiniStack lacks a name that the rehearsal relies on."""


def version() -> str:
    """The installed version, as on PyPI."""
    return importlib.metadata.version("ministack")


def check() -> None:
    """Make sure that every private name is there.

    Raises:
        MiniStackChangedError: With the missing name and what it was needed for, in one line.
    """
    for private in PRIVATE_NAMES:
        _value(private)


def _taken(name: str) -> Any:
    return _value(next(private for private in PRIVATE_NAMES if private.name == name))


def _value(private: PrivateName) -> Any:
    try:
        return getattr(importlib.import_module(private.module), private.name)
    except (ImportError, AttributeError):
        raise MiniStackChangedError(
            f"MiniStack {version()} has no {private.module}.{private.name} any more, which the "
            f"rehearsal needs for {private.purpose}: install the version that "
            f"requirements-dev.txt pins, or adapt rehearsal/extension/ministack.py"
        ) from None


def application() -> Callable[..., Any]:
    """MiniStack as an ASGI application."""
    app: Callable[..., Any] = _taken("app")
    return app


def account() -> str:
    """The account, 12 digits, of the request or stack operation that is running."""
    return str(_taken("get_account_id")())


def region() -> str:
    """The region of the request or stack operation that is running."""
    return str(_taken("get_region")())


def handlers() -> dict[str, Handler]:
    """MiniStack's own table of resource types; what is put into it, its CloudFormation makes."""
    table: dict[str, Handler] = _taken("_RESOURCE_HANDLERS")
    return table


def replace_on_change(resource_type: str, properties: Container[str]) -> None:
    """Have a change of any of ``properties`` make a new resource, and change sets say so.

    What MiniStack knows about a type already stands.
    """
    _taken("_REPLACING_PROPERTIES").setdefault(resource_type, properties)


def merge_stack_tags(resource_type: str, tag_property: str) -> None:
    """Have the stack's tags, and CloudFormation's own three, merged into ``tag_property``."""
    _taken("_STACK_TAG_PROPERTY").setdefault(resource_type, (tag_property, "list"))


def run_on_worker_threads(resource_types: Container[str]) -> None:
    """Take the handlers of these types off the event loop.

    They call this very server, which could not answer while one of them holds the loop.
    """
    stacks: Any = importlib.import_module(f"{_CLOUDFORMATION}.stacks")
    own_rule = _taken("_runs_on_worker_thread")
    stacks._runs_on_worker_thread = lambda name: name in resource_types or own_rule(name)


def accept_machine_time(clock: Clock) -> None:
    """Judge signatures by the machine's clock, which is the one their senders have.

    To be called before MiniStack's services are imported, which take the two functions by name.
    """
    sigv4: Any = importlib.import_module("ministack.core.sigv4")
    refusal = _taken("request_time_failure")
    expired = _taken("presigned_request_is_expired")

    def refused_by_machine_time(signature: Any) -> Any:
        return refusal(signature, now=_utc(machine_time()))

    def expired_since_signed(amz_date: str, expires: str | int) -> bool:
        signed = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        return bool(expired(amz_date, expires, now=_utc(signed + clock.elapsed_since(signed))))

    sigv4.request_time_failure = refused_by_machine_time
    sigv4.presigned_request_is_expired = expired_since_signed


def time_out_tasks(clock: Clock) -> None:
    """Have workflows that wait for a task token give up by ``clock``, when their timeout says so.

    What sleeps follows that clock already; a task with a token waits for an event instead.
    """
    stepfunctions = importlib.import_module("ministack.services.stepfunctions")
    own = vars(_taken("threading")) | {"Event": lambda: ClockEvent(clock)}
    stepfunctions.threading = SimpleNamespace(**own)  # type: ignore[attr-defined]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def network_acls() -> Mapping[str, dict[str, Any]]:
    """EC2's records of network ACLs, by id, in the account and region of the request."""
    table: Mapping[str, dict[str, Any]] = _taken("_network_acls")
    return table


def public_images() -> dict[str, str]:
    """The images that public parameters name; what is put into it, everybody can read."""
    images: dict[str, str] = _taken("_PUBLIC_AMI_PARAMETERS")
    return images
