"""Greets whoever calls, and tells by which of its doors they came in."""

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain; charset=utf-8", "Event-Shape": shape(event)},
        "body": f"Hello, {name(event)}!",
    }


def shape(event: dict[str, Any]) -> str:
    """Where the event keeps the HTTP method: that tells who sent it."""
    if "http" in event.get("requestContext", {}):
        return "requestContext.http"  # a function URL, or an HTTP API with payload version 2.0
    if "elb" in event.get("requestContext", {}):
        return "requestContext.elb"  # a load balancer, whose events have an httpMethod too
    if "httpMethod" in event:
        return "httpMethod"  # a REST API, or an HTTP API with payload version 1.0
    return "none"  # invoked directly


def name(event: dict[str, Any]) -> str:
    """Who asks to be greeted: every shape has the same query parameters, or null, or nothing."""
    parameters = event.get("queryStringParameters") or {}
    return str(parameters.get("name", "world"))
