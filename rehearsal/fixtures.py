"""What an exercise is given: a pytest plugin, ``pytest -p rehearsal.fixtures EXERCISE``.

The same exercise runs against AWS and against the emulator; these fixtures know the difference.
"""

import http.client
import inspect
import json
import sys
import time
import types
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.blueprints import blueprint_id
from rehearsal.environment import ACCOUNT, REGION
from rehearsal.routes import route

T = TypeVar("T")
Target = Literal["aws", "rehearsal"]
Client = Callable[..., Any]
Wait = Callable[[float], None]
# Up to here, sleeping costs less than a moved clock.
LONGEST_SLEEP_S = 2.0
TALLY = pytest.StashKey[dict[str, int]]()


class Eventually(Protocol):
    """The type of the fixture ``eventually``."""

    def __call__(self, probe: Callable[[], T | None], within: float = 30.0) -> T:
        """Return the first true answer of ``probe``, given ``within`` so many seconds."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. The headers' names are case-insensitive."""

    status: int
    headers: Message
    body: str


class Fetch(Protocol):
    """The type of the fixture ``fetch``."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        data: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer, whatever its status."""


class FunctionError(Exception):
    """A function failed. The message is the type and the message that Lambda tells of the error."""


class Invoke(Protocol):
    """The type of the fixture ``invoke``."""

    def __call__(self, function_name: str, /, **event: Any) -> Any:
        """Return what the function returned, or raise a ``FunctionError``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``python -m rehearsal`` sets."""
    group = parser.getgroup("exercises of deployed stacks")
    group.addoption("--target", choices=["aws", "rehearsal"], default="aws")
    group.addoption("--prefix", default="blueprints", help="stacks are named PREFIX-BLUEPRINT")
    group.addoption("--endpoint", help="the emulator's address; needed with --target rehearsal")
    group.addoption("--tally", type=Path, help="write the numbers of results to this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a rehearsal that would end up on AWS."""
    if config.getoption("target") == "rehearsal" and not config.getoption("endpoint"):
        raise pytest.UsageError("--target rehearsal needs --endpoint; run `make rehearse` instead")
    for exercise in config.args:
        _leave_the_stack_out(Path(exercise).parent)


def _leave_the_stack_out(folder: Path) -> None:
    # Importing an exercise imports its package, whose __init__ imports the stack: that starts the
    # CDK, which takes longer than many an exercise.
    package = types.ModuleType(f"{folder.parent.name}.{folder.name}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In rehearsal, leave out what the emulator cannot honestly show."""
    only_aws: list[pytest.Item] = []
    if config.getoption("target") == "rehearsal":
        only_aws = [item for item in items if item.get_closest_marker("aws_only")]
        items[:] = [item for item in items if item not in only_aws]
        config.hook.pytest_deselected(items=only_aws)
    config.stash[TALLY] = {"aws_only": len(only_aws)}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Leave the numbers of results for the table that ends a rehearsal."""
    if path := config.getoption("tally"):
        tally = config.stash.get(TALLY, {})
        for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
            tally[outcome] = len(terminalreporter.getreports(outcome))
        path.write_text(json.dumps(tally))


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Target:
    """Where the stack is deployed: ``aws`` or ``rehearsal``."""
    chosen: Target = pytestconfig.getoption("target")
    return chosen


@pytest.fixture(scope="session")
def endpoint(pytestconfig: pytest.Config, target: Target) -> str | None:
    """The emulator's address; None on AWS."""
    return pytestconfig.getoption("endpoint") if target == "rehearsal" else None


@pytest.fixture(scope="session")
def client(endpoint: str | None) -> Client:
    """Make a boto3 client for the target: ``client("sqs")``.

    Further arguments go to boto3, so that an exercise can act in another region or as somebody
    else.
    """
    session = boto3.session.Session()

    # Polls ask for a client each time, and to make one takes longer than to use it.
    plain: dict[str, Any] = {}

    def make(service: str, **choices: Any) -> Any:
        if not choices:
            if service not in plain:
                plain[service] = create(service)
            return plain[service]
        return create(service, **choices)

    def create(service: str, **choices: Any) -> Any:
        defaults: dict[str, Any] = {"config": _config(service, endpoint)}
        if endpoint:
            defaults |= {
                "endpoint_url": endpoint,
                "region_name": REGION,
                "aws_access_key_id": ACCOUNT,
                "aws_secret_access_key": "rehearsal",
            }
        return session.client(service, **(defaults | choices))

    return make


@pytest.fixture(scope="module")
def outputs(request: pytest.FixtureRequest, client: Client) -> dict[str, str]:
    """The outputs of the deployed stack whose exercise this is."""
    stack = f"{request.config.getoption('prefix')}-{blueprint_id(request.path.parent)}"
    try:
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        pytest.fail(f"stack {stack} cannot be exercised: {error}; deploy it first", pytrace=False)
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


@pytest.fixture(scope="session")
def wait(endpoint: str | None) -> Wait:
    """Let that many seconds pass: on AWS by sleeping, in rehearsal by moving the clock."""

    def pass_time(seconds: float) -> None:
        if endpoint is None or seconds <= LONGEST_SLEEP_S:
            time.sleep(seconds)
            return
        _tell(f"{endpoint}/_rehearsal/clock?advance={seconds:g}")

    return pass_time


@pytest.fixture
def policies_enforced(endpoint: str | None) -> Iterator[None]:
    """Signatures and policies decide what is allowed while a test runs.

    On AWS they always do. The emulator otherwise allows everything, which takes less time; it still
    lets functions that are already running act as the account itself.
    """

    def enforce(enforced: str) -> None:
        if endpoint:
            _tell(f"{endpoint}/_rehearsal/policies?enforced={enforced}")

    enforce("true")
    yield
    enforce("false")


@pytest.fixture(scope="session")
def eventually(target: Target) -> Eventually:
    """Ask until the answer is true: ``eventually(lambda: receive(queue), within=10)``.

    Returns the true answer. Fails after ``within`` seconds, with the question and the last answer.
    """
    pause = 0.1 if target == "rehearsal" else 1.0

    def ask(probe: Callable[[], T | None], within: float = 30.0) -> T:
        __tracebackhide__ = True
        deadline = time.monotonic() + within
        while not (answer := probe()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within:g} s: {_source(probe)}\nlast answer: {answer!r}")
            time.sleep(pause)
        return answer

    return ask


@pytest.fixture(scope="session")
def fetch(endpoint: str | None) -> Fetch:
    """Get the answer to one HTTP request. No status is an exception; no redirect is followed."""

    def ask(
        url: str,
        method: str = "GET",
        data: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        way = route(url, endpoint, host=(headers or {}).get("Host"))
        secure = way.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(way.netloc, timeout=60)
        try:
            sent = {"Host": way.host, **way.headers, **(headers or {})}
            connection.request(method, way.target, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        finally:
            connection.close()

    return ask


@pytest.fixture(scope="session")
def invoke(client: Client) -> Invoke:
    """Call a function and return its answer: ``invoke(outputs["GetUserName"], user_id="ada")``.

    The keywords are the event. The name may end in ``:`` and a version or an alias. An answer has
    to come within a minute: boto3 does not wait longer, and calls the function again.
    """

    def call(function_name: str, /, **event: Any) -> Any:
        answer = client("lambda").invoke(FunctionName=function_name, Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer:
            told = (payload[key] for key in ("errorType", "errorMessage") if key in payload)
            raise FunctionError(": ".join(told))
        return payload

    return call


def _config(service: str, endpoint: str | None) -> Config | None:
    if service != "s3":
        return None
    # boto3 signs URLs of us-east-1 with version 2 unless told otherwise: not every region takes
    # that, and the emulator does not check it. Without a style it names no region in them.
    return Config(
        signature_version="s3v4",
        # The host names of buckets do not lead to the emulator.
        s3={"addressing_style": "path" if endpoint else "virtual"},
    )


def _tell(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()


def _source(probe: Callable[[], object]) -> str:
    try:
        return inspect.getsource(probe).strip()
    except (OSError, TypeError):
        return repr(probe)
