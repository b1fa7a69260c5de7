"""What the functions behind the load balancer answer."""

import json

import pytest

from stacks.load_balancers.handlers.tell_target.index import handler


def test_a_target_tells_its_name_and_what_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", "Blue")
    event = {
        "requestContext": {"elb": {"targetGroupArn": "arn:..."}},
        "path": "/tea",
        "queryStringParameters": {"milk": "1"},
    }
    answer = handler(event, None)

    # A load balancer answers 502 to what has no status, or a body that is not text.
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert json.loads(answer["body"]) == {
        "target": "Blue",
        "path": "/tea",
        "query": {"milk": "1"},
        "event": ["elb"],
    }
