"""Where requests go that would go to AWS."""

import pytest

from rehearsal.routes import Route, route

ENDPOINT = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        (
            "https://abc.lambda-url.us-east-1.on.aws/tea?milk=1",
            "/tea?milk=1",
            "abc.lambda-url.us-east-1.on.aws",
        ),
        (
            "https://0a1b2c3d.execute-api.eu-west-1.amazonaws.com/prod/tea",
            "/prod/tea",
            "0a1b2c3d.execute-api.localhost",
        ),
        (
            "http://0a1b2c3d.execute-api.localhost:4566",
            "/",
            "0a1b2c3d.execute-api.localhost:4566",
        ),
        (
            "http://shop-1f2e3d4c.us-east-1.elb.amazonaws.com:8080/tea",
            "/tea",
            "shop-1f2e3d4c.us-east-1.elb.amazonaws.com:8080",
        ),
        ("http://127.0.0.1:4566/bucket/key", "/bucket/key", "127.0.0.1:4566"),
    ],
)
def test_the_emulator_answers_for_aws(url: str, target: str, host: str) -> None:
    assert route(url, ENDPOINT) == Route("http", "127.0.0.1:4566", target, host)


@pytest.mark.parametrize(
    "url", ["https://example.com/", "http://127.0.0.1:80/", "https://amazonaws.com.example.org/"]
)
def test_a_rehearsal_reaches_nothing_else(url: str) -> None:
    with pytest.raises(ValueError, match="the rehearsal reaches no other"):
        route(url, ENDPOINT)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_distribution_learns_whether_its_viewer_came_by_tls(scheme: str) -> None:
    assert route(f"{scheme}://d1.cloudfront.net/tea", ENDPOINT) == Route(
        "http", "127.0.0.1:4566", "/tea", "d1.cloudfront.net", {"X-Forwarded-Proto": scheme}
    )


def test_on_aws_a_url_is_taken_as_it_is() -> None:
    assert route("https://example.com/a?b=c", None) == Route(
        "https", "example.com", "/a?b=c", "example.com"
    )


def test_a_load_balancer_answers_under_any_name_it_is_called_by() -> None:
    balancer = "http://my-shop-1f2e3d4c.us-east-1.elb.amazonaws.com/tea?milk=1"

    assert route(balancer, ENDPOINT, host="admin.example.test") == Route(
        "http", "127.0.0.1:4566", "/_alb/my-shop/tea?milk=1", "admin.example.test"
    )
    assert route(balancer, None, host="admin.example.test") == Route(
        "http", "my-shop-1f2e3d4c.us-east-1.elb.amazonaws.com", "/tea?milk=1", "admin.example.test"
    )
