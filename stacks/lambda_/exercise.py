"""See the functions work: ``make rehearse BLUEPRINT=lambda``, or ``make exercise`` once on AWS."""

import contextlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Fetch, Invoke

NOT_ON_A_VERSION = "InvalidParameterValueException|ResourceConflictException"

Outputs = dict[str, str]


class Function:
    """A deployed function, for the length of a test: in the end it is as it was."""

    def __init__(self, lambda_: Any, name: str, invoke: Invoke, eventually: Eventually) -> None:
        """Take hold of the function called ``name``."""
        self.lambda_, self.name = lambda_, name
        self._invoke, self._eventually = invoke, eventually
        self._undo = contextlib.ExitStack()
        self._settle()

    def call(self, event: Any = None, qualifier: str = "$LATEST") -> Any:
        """Invoke it, wait, and return its answer."""
        return self._invoke(f"{self.name}:{qualifier}", **(event or {}))

    def deploy(self, source: str) -> None:
        """Replace its code by one module."""
        location = self.lambda_.get_function(FunctionName=self.name)["Code"]["Location"]
        with urlopen(location) as package:
            before = package.read()
        update = self.lambda_.update_function_code
        self._change(update, {"ZipFile": zipped("index.py", source)}, undo={"ZipFile": before})

    def configure(self, **settings: Any) -> None:
        """Change settings, each of which must have had a value."""
        before = self.configuration()
        if "Layers" in settings:
            before["Layers"] = [layer["Arn"] for layer in before["Layers"]]
        update = self.lambda_.update_function_configuration
        self._change(update, settings, undo={name: before[name] for name in settings})

    def configuration(self) -> dict[str, Any]:
        """How it is configured now."""
        now: dict[str, Any] = self.lambda_.get_function_configuration(FunctionName=self.name)
        return now

    def publish(self) -> str:
        """Publish a version; one that was there before stays, also in the end."""
        before = self.versions()
        version = str(self.lambda_.publish_version(FunctionName=self.name)["Version"])
        if version not in before:
            self._undo.callback(
                self.lambda_.delete_function, FunctionName=self.name, Qualifier=version
            )
        return version

    def versions(self) -> list[str]:
        """The numbers of its published versions."""
        pages = self.lambda_.get_paginator("list_versions_by_function")
        return [
            version["Version"]
            for page in pages.paginate(FunctionName=self.name)
            for version in page["Versions"]
            if version["Version"] != "$LATEST"
        ]

    def move_live(self, **routing: Any) -> None:
        """Let the alias ``live`` point elsewhere."""
        alias = {"FunctionName": self.name, "Name": "live"}
        before = self.lambda_.get_alias(**alias)["FunctionVersion"]
        self._undo.callback(
            self.lambda_.update_alias,
            **alias,
            FunctionVersion=before,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )
        self.lambda_.update_alias(**alias, **routing)

    def close(self) -> None:
        """Undo everything, the last change first."""
        self._undo.close()

    def _change(
        self, update: Callable[..., Any], settings: dict[str, Any], undo: dict[str, Any]
    ) -> None:
        update(FunctionName=self.name, **settings)
        self._undo.callback(update, FunctionName=self.name, **undo)
        # Nor does Lambda take another change before this one is made.
        self._settle()

    def _settle(self) -> None:
        self._eventually(
            lambda: self.configuration()["LastUpdateStatus"] == "Successful", within=60
        )


def zipped(path: str, source: str) -> bytes:
    """A package of one file."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        # Lambda runs as another user, who has to be allowed to read the file.
        entry = zipfile.ZipInfo(path)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return package.getvalue()


Open = Callable[[str], Function]


@pytest.fixture
def open_function(
    client: Client, outputs: Outputs, invoke: Invoke, eventually: Eventually
) -> Iterator[Open]:
    """Take hold of functions by the name of their output."""
    with contextlib.ExitStack() as stack:

        def open_(output: str) -> Function:
            function = Function(client("lambda"), outputs[output], invoke, eventually)
            stack.callback(function.close)
            return function

        yield open_


@pytest.fixture
def greet(open_function: Open) -> Function:
    """The public function."""
    return open_function("GreetName")


@pytest.fixture
def describe_call(open_function: Open) -> Function:
    """The function that tells what it gets to know."""
    return open_function("DescribeCallName")


@pytest.fixture
def document(client: Client, outputs: Outputs) -> Iterator[str]:
    """The key of a document in the bucket, which says ``Once upon a time``."""
    s3, key = client("s3"), f"tales/{uuid.uuid4().hex}.txt"
    s3.put_object(Bucket=outputs["DocumentsName"], Key=key, Body=b"Once upon a time")
    yield key
    s3.delete_object(Bucket=outputs["DocumentsName"], Key=key)


@pytest.fixture
def new_greeting() -> tuple[str, str]:
    """A greeting that nobody has deployed before, and the code that gives it."""
    greeting = f"Hej {uuid.uuid4().hex[:8]}!"
    answer = {"statusCode": 200, "body": greeting}
    return greeting, f"def handler(event, context):\n    return {answer!r}\n"


def signed(client: Client, url: str) -> dict[str, str]:
    """The headers that make a GET request for a function URL one of ours."""
    request = AWSRequest("GET", url)
    credentials = boto3.session.Session().get_credentials()
    region = client("lambda").meta.region_name
    SigV4Auth(credentials, "lambda", region).add_auth(request)
    return dict(request.headers)


@pytest.mark.concept("lambda.http-endpoint")
def test_a_function_url_and_an_api_give_the_same_answer_to_different_events(
    outputs: Outputs, fetch: Fetch
) -> None:
    by_url = fetch(f"{outputs['GreetUrl']}?name=Ada")
    by_api = fetch(f"{outputs['GreetApiUrl']}?name=Ada")

    assert (by_url.status, by_url.body) == (200, "Hello, Ada!")
    assert (by_api.status, by_api.body) == (200, "Hello, Ada!")
    assert by_url.headers["Event-Shape"] == "requestContext.http"
    assert by_api.headers["Event-Shape"] == "httpMethod"


@pytest.mark.concept("lambda.http-endpoint")
def test_a_function_url_with_iam_serves_only_who_signs(
    client: Client, outputs: Outputs, describe_call: Function, fetch: Fetch
) -> None:
    config = describe_call.lambda_.get_function_url_config(FunctionName=describe_call.name)
    assert (config["AuthType"], config["FunctionUrl"]) == ("AWS_IAM", outputs["DescribeCallUrl"])

    assert fetch(config["FunctionUrl"]).status == 403
    answer = fetch(config["FunctionUrl"], headers=signed(client, config["FunctionUrl"]))
    assert answer.status == 200, answer.body
    event = json.loads(answer.body)["event"]
    assert (event["version"], event["requestContext"]["http"]["method"]) == ("2.0", "GET")


@pytest.mark.aws_only
@pytest.mark.concept("lambda.http-endpoint")
def test_a_function_url_with_iam_refuses_a_forged_signature(
    client: Client, outputs: Outputs, fetch: Fetch
) -> None:
    headers = signed(client, outputs["DescribeCallUrl"])
    headers["Authorization"] = headers["Authorization"][:-8] + "00000000"

    assert fetch(outputs["DescribeCallUrl"], headers=headers).status == 403


@pytest.mark.concept("lambda.handler-params")
def test_the_handler_gets_the_event_as_sent_and_a_context_of_its_call(
    describe_call: Function,
) -> None:
    event = {"sleep_seconds": 0.3, "text": "ünïcode", "list": [1, None, {"deep": True}]}
    first, second = describe_call.call(event), describe_call.call()

    assert (first["event"], second["event"]) == (event, {})
    assert uuid.UUID(first["request_id"]) != uuid.UUID(second["request_id"])
    assert (first["version"], first["memory_mb"]) == ("$LATEST", 128)
    remaining = first["remaining_ms"]
    assert 5_000 < remaining["before"] <= 10_000
    assert 250 < remaining["before"] - remaining["after"] < 2_000


@pytest.mark.concept("lambda.env-vars")
def test_the_function_finds_its_table_by_an_environment_variable(
    client: Client, outputs: Outputs, describe_call: Function
) -> None:
    answer = describe_call.call()

    assert answer["table_name"] == outputs["CallsTableName"]
    item = client("dynamodb").get_item(
        TableName=outputs["CallsTableName"],
        Key={"function_name": {"S": describe_call.name}},
        ConsistentRead=True,
    )["Item"]
    assert int(item["calls"]["N"]) == answer["calls_ever"]


@pytest.mark.aws_only
@pytest.mark.concept("lambda.env-vars")
def test_environment_variables_have_at_most_4_kb_together(describe_call: Function) -> None:
    variables = describe_call.configuration()["Environment"]["Variables"]

    with pytest.raises(ClientError, match="InvalidParameterValueException"):
        describe_call.configure(Environment={"Variables": variables | {"PADDING": "x" * 5 * 1024}})


@pytest.mark.aws_only
@pytest.mark.concept("lambda.memory-cpu")
def test_fourteen_times_the_memory_computes_about_ten_times_as_fast(open_function: Open) -> None:
    small, large = open_function("CountPrimesSmallName"), open_function("CountPrimesLargeName")
    for function in (small, large):
        function.call({"below": 10})  # environments start at full speed, whatever their memory

    slow, fast = small.call({"below": 300_000}), large.call({"below": 300_000})

    assert slow["primes"] == fast["primes"] == 25_997
    assert slow["seconds"] / fast["seconds"] > 8


@pytest.mark.concept("lambda.execution-environment")
def test_calls_in_a_row_share_an_environment_and_calls_at_once_do_not(
    describe_call: Function, eventually: Eventually
) -> None:
    def reused() -> bool:
        first, second = (describe_call.call()["environment"] for _ in range(2))
        return bool(second == {"id": first["id"], "calls": first["calls"] + 1})

    eventually(reused)  # Lambda usually reuses an environment, and never promises to

    before = describe_call.call()["calls_ever"]
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(describe_call.call, [{"sleep_seconds": 1}] * 5))
    assert len({answer["environment"]["id"] for answer in answers}) == 5
    # Memory is an environment's own; what all of them have to know is in the table.
    assert sorted(answer["calls_ever"] - before for answer in answers) == [1, 2, 3, 4, 5]


@pytest.mark.concept("lambda.init-outside-handler")
def test_imports_run_once_per_environment_and_again_after_a_deployment(
    describe_call: Function, eventually: Eventually
) -> None:
    source = (
        "import execution_environment\n"
        "def handler(event, context):\n"
        "    return execution_environment.serve()\n"
    )
    old = describe_call.call()["environment"]["id"]

    describe_call.deploy(source)
    first = describe_call.call()

    assert (first["id"] != old, first["calls"]) == (True, 1)
    eventually(lambda: describe_call.call()["calls"] > 1)


@pytest.mark.aws_only
@pytest.mark.concept("lambda.init-outside-handler")
def test_the_log_tells_how_long_the_imports_took_of_the_first_call_only(
    client: Client, describe_call: Function, eventually: Eventually
) -> None:
    logs = client("logs")
    log_group = describe_call.configuration()["LoggingConfig"]["LogGroup"]
    # A setting changed: the next call starts a new environment.
    describe_call.configure(Timeout=11)
    calls = [describe_call.call() for _ in range(2)]

    def metrics(call: dict[str, Any]) -> dict[str, Any] | None:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=log_group,
            filterPattern=f'{{ $.record.requestId = "{call["request_id"]}" }}',
        )
        entries = (json.loads(event["message"]) for page in pages for event in page["events"])
        return next(
            (e["record"]["metrics"] for e in entries if e["type"] == "platform.report"), None
        )

    reports = [eventually(partial(metrics, call), within=120) for call in calls]
    # A call in an environment that had served before had nothing to import.
    imported = [call["environment"]["calls"] == 1 for call in calls]
    assert imported[0]
    assert ["initDurationMs" in report for report in reports] == imported


@pytest.mark.concept("lambda.tmp-space")
def test_a_downloaded_document_is_still_there_when_its_environment_is_reused(
    open_function: Open, document: str, eventually: Eventually
) -> None:
    fetch_document = open_function("FetchDocumentName")
    first = fetch_document.call({"key": document})
    assert (first["text"], first["downloaded"]) == ("Once upon a time", True)

    def reused() -> dict[str, Any] | None:
        answer: dict[str, Any] = fetch_document.call({"key": document})
        return answer if answer["environment"]["id"] == first["environment"]["id"] else None

    again = eventually(reused)
    assert (again["text"], again["downloaded"]) == ("Once upon a time", False)


@pytest.mark.aws_only
@pytest.mark.concept("lambda.tmp-space")
def test_tmp_has_the_size_asked_for_and_ends_with_its_environment(
    open_function: Open, document: str
) -> None:
    fetch_document = open_function("FetchDocumentName")
    assert 900 < fetch_document.call({"key": document})["scratch_mib"] < 1200

    fetch_document.configure(Timeout=31)  # a setting changed: a new environment
    assert fetch_document.call({"key": document})["downloaded"] is True


@pytest.mark.concept("lambda.layers")
def test_a_function_keeps_its_version_of_a_layer_until_it_is_given_the_next(
    describe_call: Function, outputs: Outputs
) -> None:
    lambda_ = describe_call.lambda_
    layer = outputs["ExecutionEnvironmentArn"].split(":")[6]
    source = "def serve():\n    return 'from the next version of the layer'\n"
    with contextlib.ExitStack() as undo:
        published = lambda_.publish_layer_version(
            LayerName=layer,
            Content={"ZipFile": zipped("python/execution_environment.py", source)},
        )
        undo.callback(
            lambda_.delete_layer_version, LayerName=layer, VersionNumber=published["Version"]
        )

        assert describe_call.call()["environment"]["id"], "only the layer has the module"
        describe_call.configure(Layers=[published["LayerVersionArn"]])
        assert describe_call.call()["environment"] == "from the next version of the layer"


@pytest.mark.aws_only
@pytest.mark.concept("lambda.container-image")
def test_the_image_gives_the_same_answer_as_the_zip(
    open_function: Open, outputs: Outputs, greet: Function
) -> None:
    if "GreetFromImageName" not in outputs:
        pytest.skip("deployed without an image; README.md says how to give it one")
    event = {"queryStringParameters": {"name": "Ada"}}

    assert open_function("GreetFromImageName").call(event) == greet.call(event)


@pytest.mark.concept("lambda.version")
def test_a_version_keeps_its_code_and_unchanged_code_makes_no_version(
    greet: Function, new_greeting: tuple[str, str]
) -> None:
    greeting, source = new_greeting
    before = greet.versions()

    greet.deploy(source)
    assert greet.versions() == before, "deploying alone makes no version"
    assert greet.call()["body"] == greeting

    second = greet.publish()
    assert second not in before
    assert greet.publish() == second

    first = f"{greet.name}:{before[-1]}"
    with pytest.raises(ClientError, match=NOT_ON_A_VERSION):
        greet.lambda_.update_function_code(FunctionName=first, ZipFile=zipped("index.py", source))
    with pytest.raises(ClientError, match=NOT_ON_A_VERSION):
        greet.lambda_.update_function_configuration(FunctionName=first, Timeout=6)
    assert greet.call(qualifier=before[-1])["body"] == "Hello, world!"


@pytest.mark.concept("lambda.alias")
def test_callers_of_the_alias_see_the_next_version_once_it_is_moved(
    greet: Function,
    outputs: Outputs,
    fetch: Fetch,
    eventually: Eventually,
    new_greeting: tuple[str, str],
) -> None:
    def greetings() -> set[str]:
        return {
            greet.call(qualifier="live")["body"],
            fetch(outputs["GreetUrl"]).body,
            fetch(outputs["GreetApiUrl"]).body,
        }

    greeting, source = new_greeting
    greet.deploy(source)
    version = greet.publish()
    assert greetings() == {"Hello, world!"}

    greet.move_live(FunctionVersion=version)
    eventually(lambda: greetings() == {greeting})


@pytest.mark.aws_only
@pytest.mark.concept("lambda.alias")
def test_an_alias_can_give_one_call_in_five_to_the_next_version(
    greet: Function, new_greeting: tuple[str, str]
) -> None:
    greet.deploy(new_greeting[1])
    version = greet.publish()
    greet.move_live(RoutingConfig={"AdditionalVersionWeights": {version: 0.2}})

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: greet.call(qualifier="live")["body"], range(200)))
    assert 15 < answers.count(new_greeting[0]) < 70
