"""How the function logs in, and what it does with its connection."""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.aurora.handlers.report import index


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "READER_HOST": "reader",
        "READER_PORT": "5432",
        "DATABASE": "shop",
        "DATABASE_USER": "report",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client(
        "rds",
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )
    monkeypatch.setattr(index, "rds", client)


def test_the_password_is_a_token_for_this_user_at_this_endpoint_for_15_minutes() -> None:
    login = index.login()

    token = urlsplit(f"https://{login['password']}")
    query = {name: values[0] for name, values in parse_qs(token.query).items()}
    assert token.netloc == "reader:5432"
    assert (query["Action"], query["DBUser"]) == ("connect", "report")
    assert query["X-Amz-Expires"] == "900"
    assert (login["host"], login["port"], login["user"]) == ("reader", 5432, "report")


@pytest.mark.parametrize("refused", [False, True])
def test_a_connection_is_closed_whatever_becomes_of_the_statement(
    monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    closed: list[bool] = []

    class Connection:
        def __init__(self, **login: Any) -> None:
            assert login["ssl_context"] is index.tls

        def run(self, sql: str, **parameters: Any) -> Any:
            if sql.startswith("SELECT aurora"):
                return [["reader-1", True]]
            if refused:
                raise PermissionError("read-only")
            return [[2]]

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(index, "Connection", Connection)
    event = {"action": "count", "order_id": "1"}

    if refused:
        with pytest.raises(PermissionError):
            index.handler(event, None)
    else:
        answer = index.handler(event, None)
        assert answer == {"instance": "reader-1", "read_only": True, "lines": 2}
    assert closed == [True]


def test_certificates_are_verified_against_the_hosts_name() -> None:
    assert index.tls.check_hostname
    assert index.tls.verify_mode.name == "CERT_REQUIRED"
    assert "Amazon RDS eu-west-1 Root CA RSA2048 G1" in str(index.tls.get_ca_certs())
