from typing import Any

import pytest

from stacks.lambda_.handlers.greet import index

# As AWS sends them, reduced to what tells them apart.
FUNCTION_URL = {"version": "2.0", "requestContext": {"http": {"method": "GET", "path": "/"}}}
REST_API = {"httpMethod": "GET", "path": "/", "requestContext": {"stage": "v1"}}
LOAD_BALANCER = {"httpMethod": "GET", "path": "/", "requestContext": {"elb": {}}}


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        (FUNCTION_URL, "requestContext.http"),
        (REST_API, "httpMethod"),
        (LOAD_BALANCER, "requestContext.elb"),
        ({}, "none"),
    ],
    ids=["function URL", "REST API", "load balancer", "invoked"],
)
def test_the_same_greeting_answers_events_of_every_shape(event: dict[str, Any], shape: str) -> None:
    answer = index.handler({**event, "queryStringParameters": {"name": "Ada"}}, None)

    assert (answer["statusCode"], answer["body"]) == (200, "Hello, Ada!")
    assert answer["headers"]["Event-Shape"] == shape


@pytest.mark.parametrize(
    "event",
    [FUNCTION_URL, {**REST_API, "queryStringParameters": None}, {"queryStringParameters": {}}],
    ids=["left out", "null", "empty"],
)
def test_who_gives_no_name_is_greeted_all_the_same(event: dict[str, Any]) -> None:
    assert index.handler(event, None)["body"] == "Hello, world!"


def test_a_name_is_text_to_a_browser_and_never_markup() -> None:
    answer = index.handler({"queryStringParameters": {"name": "<script>"}}, None)

    assert answer["headers"]["Content-Type"] == "text/plain; charset=utf-8"
