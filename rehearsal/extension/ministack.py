"""The one place that names what MiniStack does not promise to keep.

Everything else goes through AWS's own interfaces, over HTTP, like any other client. When an
upgrade of MiniStack takes one of these names away, ``check`` says so before anything starts.
"""

import importlib
import importlib.metadata
from collections.abc import Callable, Container, Mapping, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, Protocol
from xml.etree.ElementTree import Element

from rehearsal.extension.clock import Clock, ClockEvent, machine_time

Handler = dict[str, Any]
"""The functions of one resource type: create, update, delete, and flags."""


class PrivateName(NamedTuple):
    """A name this module takes from MiniStack, and what is lost without it."""

    module: str
    name: str
    purpose: str


_CLOUDFORMATION = "ministack.services.cloudformation"

# EC2 has a table of the same name.
_DATABASES = PrivateName("ministack.services.rds", "_instances", "servers for the Data API")
PRIVATE_NAMES = (
    PrivateName("ministack.app", "app", "the server itself"),
    PrivateName("ministack.app", "AUTH", "enforcing policies"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS", "adding resource types"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_REPLACING_PROPERTIES", "replacing resources"),
    PrivateName(f"{_CLOUDFORMATION}.provisioners", "_STACK_TAG_PROPERTY", "tags of the stack"),
    PrivateName(
        f"{_CLOUDFORMATION}.provisioners", "_r53_record_set_build_rs", "geoproximity records"
    ),
    PrivateName(f"{_CLOUDFORMATION}.stacks", "_runs_on_worker_thread", "calls back to the server"),
    PrivateName("ministack.core.responses", "get_account_id", "the account of a request"),
    PrivateName("ministack.core.responses", "get_region", "the region of a request"),
    PrivateName("ministack.core.sigv4", "request_time_failure", "signatures and a moved clock"),
    PrivateName("ministack.core.sigv4", "presigned_request_is_expired", "expiry of signed URLs"),
    PrivateName("ministack.core.iam_evaluator", "resolve_credential", "tokens that log in by IAM"),
    PrivateName("ministack.services.ec2", "_ACTION_MAP", "the disks of machines"),
    PrivateName("ministack.services.ec2", "_instances", "the disks of machines"),
    PrivateName("ministack.services.ec2", "_launch_templates", "the disks of machines"),
    PrivateName(
        "ministack.services.cloudfront",
        "_fetch_from_function_url_origin",
        "distributions before function URLs that want signatures",
    ),
    PrivateName("ministack.services.ec2", "_network_acls", "default network ACLs"),
    PrivateName("ministack.services.ec2", "_subnets", "the zones of machines"),
    PrivateName("ministack.services.ec2", "_volumes", "the disks of machines"),
    PrivateName("ministack.services.elasticache", "_spawn_redis_container", "starting caches"),
    PrivateName("ministack.services.elasticache", "_delete_replication_group", "stopping caches"),
    PrivateName("ministack.services.elasticache", "_delete_cache_cluster", "stopping caches"),
    PrivateName("ministack.services.elasticache", "_reboot_cache_cluster", "rebooting caches"),
    PrivateName("ministack.services.elasticache", "_users", "users of caches"),
    PrivateName("ministack.services.ecs", "_services", "the placement of ECS's tasks"),
    PrivateName("ministack.services.route53", "_build_record_set_el", "geoproximity records"),
    PrivateName("ministack.services.route53", "_parse_record_set", "geoproximity records"),
    PrivateName(
        "ministack.services.lambda_svc", "_build_function_url_event", "cookies of function URLs"
    ),
    _DATABASES,
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


def policies_are_enforced() -> bool:
    """Whether signatures and policies decide what is allowed, or everything is."""
    return bool(_taken("AUTH"))


def enforce_policies(enforced: bool) -> None:
    """Have signatures and policies decide from now on, or allow everything."""
    # MiniStack asks this name at every request.
    application: Any = importlib.import_module("ministack.app")
    application.AUTH = enforced


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


def sign_for_function_urls() -> None:
    """Have CloudFront sign what it asks of a function URL that it has an access control for.

    MiniStack's does not, and its function URLs look no further than whether there is a signature
    unless policies are enforced: then this one is refused, since nobody has its key.
    """
    cloudfront: Any = importlib.import_module("ministack.services.cloudfront")
    fetch = _taken("_fetch_from_function_url_origin")

    async def signed(host: str, origin: Mapping[str, Any], *request: Any) -> Any:
        method, uri, query, headers, *rest = request
        if origin.get("oac_id"):
            headers = {**headers, "authorization": "AWS4-HMAC-SHA256 Credential=cloudfront"}
        return await fetch(host, origin, method, uri, query, headers, *rest)

    cloudfront._fetch_from_function_url_origin = signed


def give_function_urls_cookies() -> None:
    """Have what a function URL tells its function list the cookies, which MiniStack leaves out.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
    """
    functions: Any = importlib.import_module("ministack.services.lambda_svc")
    build = _taken("_build_function_url_event")

    def with_cookies(*request: Any, **more: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(*request, **more)
        cookies = event["headers"].get("cookie", "")
        return {**event, "cookies": cookies.split("; ")} if cookies else event

    functions._build_function_url_event = with_cookies


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def network_acls() -> Mapping[str, dict[str, Any]]:
    """EC2's records of network ACLs, by id, in the account and region of the request."""
    table: Mapping[str, dict[str, Any]] = _taken("_network_acls")
    return table


def ec2_operations() -> dict[str, Callable[[Mapping[str, Any]], tuple[int, Any, bytes]]]:
    """EC2's own table of operations; what is put into it, answers."""
    table: dict[str, Callable[[Mapping[str, Any]], tuple[int, Any, bytes]]] = _taken("_ACTION_MAP")
    return table


def ec2_records(
    kind: Literal["_instances", "_launch_templates", "_subnets", "_volumes"],
) -> dict[str, dict[str, Any]]:
    """EC2's records of a kind, by id, in the account and region of the request."""
    table: dict[str, dict[str, Any]] = _taken(kind)
    return table


def ecs_services() -> Mapping[str, dict[str, Any]]:
    """ECS's records of services, by ``cluster/service``, in the account and region asked."""
    table: Mapping[str, dict[str, Any]] = _taken("_services")
    return table


def public_images() -> dict[str, str]:
    """The images that public parameters name; what is put into it, everybody can read."""
    images: dict[str, str] = _taken("_PUBLIC_AMI_PARAMETERS")
    return images


class CacheNodes(Protocol):
    """What MiniStack's ElastiCache runs caches with, in place of containers."""

    def start(self, name: str, *, engine: str, tls: bool, token: str | None) -> tuple[str, int]:
        """Start the cache of a replication group or cluster; the host and port it answers at."""

    def stop(self, name: str) -> None:
        """Stop it; one that is not there is no error."""

    def reboot(self, node: str) -> None:
        """Reboot the one that a node is of."""


def run_caches(nodes: CacheNodes) -> None:
    """Have ElastiCache start, stop and reboot caches with ``nodes``."""
    elasticache: Any = importlib.import_module("ministack.services.elasticache")

    def start(
        name: str,
        engine: str,
        engine_version: str,
        labels: Mapping[str, str],
        transit: bool = False,
        auth_token: str | None = None,
    ) -> tuple[str, int, None]:
        owner = labels.get("rg_id") or labels["cluster_id"]
        return *nodes.start(owner, engine=engine, tls=transit, token=auth_token), None

    elasticache._spawn_redis_container = start
    for operation, parameter, follow in (
        ("_delete_replication_group", "ReplicationGroupId", nodes.stop),
        ("_delete_cache_cluster", "CacheClusterId", nodes.stop),
        ("_reboot_cache_cluster", "CacheClusterId", nodes.reboot),
    ):
        setattr(elasticache, operation, _followed(_taken(operation), parameter, follow))


def _followed(
    own: Callable[[Mapping[str, Any]], Any], parameter: str, follow: Callable[[str], None]
) -> Callable[[Mapping[str, Any]], Any]:
    """An operation of MiniStack's, and what follows when it has succeeded."""

    def operation(parameters: Mapping[str, Any]) -> Any:
        answer = own(parameters)
        if answer[0] == HTTPStatus.OK:
            given = parameters[parameter]
            follow(given[0] if isinstance(given, list) else given)
        return answer

    return operation


def cache_users() -> MutableMapping[str, dict[str, Any]]:
    """ElastiCache's records of users, by id, in the account and region of the request."""
    table: MutableMapping[str, dict[str, Any]] = _taken("_users")
    return table


def secret_of(access_key: str, account: str) -> str | None:
    """The secret key of an access key of an account; None if there is none."""
    secret: str | None = getattr(
        _taken("resolve_credential")(access_key, account), "secret_access_key", None
    )
    return secret


def keep_of_records(
    given: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    parse: Callable[[Element], Mapping[str, Any]],
    write: Callable[[Element, Mapping[str, Any]], None],
) -> None:
    """Have Route 53 keep more of its records than it does.

    Args:
        given: What more a template's properties say.
        parse: What more a request's XML says.
        write: Puts it into the XML of an answer.
    """
    provisioners: Any = importlib.import_module(f"{_CLOUDFORMATION}.provisioners")
    route53: Any = importlib.import_module("ministack.services.route53")
    of_template = _taken("_r53_record_set_build_rs")
    of_request = _taken("_parse_record_set")
    build = _taken("_build_record_set_el")

    def build_all(parent: Element, record: Mapping[str, Any]) -> None:
        build(parent, record)
        write(parent[-1], record)

    provisioners._r53_record_set_build_rs = lambda properties: {
        **of_template(properties),
        **given(properties),
    }
    route53._parse_record_set = lambda element: {**of_request(element), **parse(element)}
    route53._build_record_set_el = build_all


def connect_data_api(instance_arn: str, socket_directory: Path) -> None:
    """Have the Data API speak to a PostgreSQL server when it is asked for an instance's cluster.

    It speaks only to what it takes for a container, by the address that has inside.
    """
    _, _, _, region, account, _, name = instance_arn.split(":")
    _value(_DATABASES).get_scoped(account, region, name).update(
        _docker_container_id=str(socket_directory),
        _internal_address=str(socket_directory),
        _internal_port=5432,
    )
