import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import valkey
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from rehearsal.extension import certificates, iam_tokens
from rehearsal.extension.cache_endpoint import CacheEndpoint
from rehearsal.extension.valkey_server import ValkeyServer
from stacks.elasticache.handlers.cached_users import index
from stacks.elasticache.handlers.cached_users.index import User

ADA = {"user_id": "ada", "name": "Ada"}
COUNTESS = {"user_id": "ada", "name": "Countess Lovelace"}
MINUTE = 60


class Users:
    """A table, and how often it was read."""

    def __init__(self, *users: User) -> None:
        self.users = {user["user_id"]: user for user in users}
        self.reads = 0

    def get(self, user_id: str) -> User | None:
        self.reads += 1
        return self.users.get(user_id)

    def put(self, user: User) -> None:
        self.users[user["user_id"]] = user

    def delete(self, user_id: str) -> None:
        self.users.pop(user_id, None)


class Failing:
    """A cache that fails, with whatever a client may raise."""

    def __init__(self, error: valkey.ValkeyError) -> None:
        self.error = error

    def get(self, name: str, /) -> Any:
        raise self.error

    def set(self, name: str, value: str, /, *, ex: int) -> Any:
        raise self.error

    def delete(self, name: str, /) -> Any:
        raise self.error


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.admit({"default": "on nopass ~* +@all"})
    yield server
    server.stop()


@pytest.fixture
def cache(server: ValkeyServer) -> Iterator[Any]:
    """The real thing, empty."""
    with valkey.Valkey(port=server.port, decode_responses=True) as cache:
        cache.flushall()
        yield cache


def test_what_the_cache_does_not_have_is_read_from_the_table_once(cache: Any) -> None:
    users = Users(ADA)

    assert index.read("ada", users, cache, MINUTE) == {
        "user": ADA,
        "source": "table",
        "cache": "miss",
    }
    assert index.read("ada", users, cache, MINUTE) == {
        "user": ADA,
        "source": "cache",
        "cache": "hit",
    }
    assert users.reads == 1


def test_a_copy_is_stale_until_its_time_is_over(cache: Any) -> None:
    users = Users(ADA)
    index.read("ada", users, cache, 1)
    users.put(COUNTESS)

    assert index.read("ada", users, cache, 1)["user"] == ADA
    time.sleep(1.1)
    assert index.read("ada", users, cache, 1)["user"] == COUNTESS


def test_nobody_is_not_cached(cache: Any) -> None:
    users = Users()

    assert index.read("ada", users, cache, MINUTE)["user"] is None
    users.put(ADA)
    assert index.read("ada", users, cache, MINUTE)["user"] == ADA


def test_a_write_replaces_the_copy_and_gives_it_a_new_life(cache: Any) -> None:
    users = Users(ADA)
    index.read("ada", users, cache, 10)

    assert index.write(COUNTESS, users, cache, MINUTE) == {"cached": True}

    assert index.read("ada", users, cache, MINUTE) == {
        "user": COUNTESS,
        "source": "cache",
        "cache": "hit",
    }
    assert users.get("ada") == COUNTESS
    assert 50 < cache.ttl("user:ada") <= 60


def test_a_copy_goes_with_its_user(cache: Any) -> None:
    users = Users(ADA)
    index.read("ada", users, cache, MINUTE)

    assert index.remove("ada", users, cache) == {"invalidated": True}

    assert index.read("ada", users, cache, MINUTE)["user"] is None


@pytest.mark.parametrize(
    "error",
    [valkey.ConnectionError(), valkey.TimeoutError(), valkey.ResponseError("OOM")],
    ids=["away", "silent", "full"],
)
def test_without_the_cache_the_table_serves_and_the_answer_says_so(
    error: valkey.ValkeyError,
) -> None:
    users, cache = Users(ADA), Failing(error)

    assert index.read("ada", users, cache, MINUTE) == {
        "user": ADA,
        "source": "table",
        "cache": "unreachable",
    }
    assert index.write(COUNTESS, users, cache, MINUTE) == {"cached": False}
    assert users.get("ada") == COUNTESS
    assert index.remove("ada", users, cache) == {"invalidated": False}
    assert users.get("ada") is None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make the handler's own client of a cache at a port."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal")
    monkeypatch.setenv("CACHE_HOST", "127.0.0.1")
    monkeypatch.setenv("SIGN_IN", "cache/?Action=connect&User=users")
    monkeypatch.setenv("SIGN_IN_SERVICE", "elasticache")
    monkeypatch.setattr(index, "CACHE_TIMEOUT_S", 0.2)

    def make(port: int) -> Any:
        monkeypatch.setenv("CACHE_PORT", str(port))
        return index.cache()

    yield make
    index.cache.cache_clear()


@pytest.fixture(params=["lost on the way", "never answered"])
def silence(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port at which a connection is not made, or is made and nothing is ever heard."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        if request.param == "never answered":
            yield address[1]
        else:
            with socket.create_connection(address):  # nobody else gets in
                yield address[1]


def test_a_cache_that_is_not_heard_of_is_tried_twice_for_as_long_as_it_is_worth(
    client: Any, silence: int
) -> None:
    cache = client(silence)
    began = time.monotonic()
    answer = index.read("ada", Users(ADA), cache, MINUTE)
    took = time.monotonic() - began

    assert answer["cache"] == "unreachable"
    assert 0.3 < took < 2


def test_nothing_is_said_to_a_cache_that_does_not_encrypt(
    client: Any, server: ValkeyServer
) -> None:
    with pytest.raises(valkey.TimeoutError):
        client(server.port).get("user:ada")


def test_only_a_cache_with_a_certificate_that_is_trusted_gets_the_token(
    client: Any, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[str] = []

    def exchange(user: str, password: str) -> str:
        told.append(user)
        return password

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", "")
    certificates.single_context.cache_clear()
    endpoint = CacheEndpoint(server.port, tls=True, welcome=lambda: exchange)
    trusted = os.environ["SSL_CERT_FILE"]

    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(valkey.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        client(endpoint.port).get("user:ada")
    assert told == []
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    with pytest.raises(valkey.AuthenticationError):
        client(endpoint.port).get("user:ada")
    assert set(told) == {"users"}
    endpoint.close()


def test_who_logs_in_is_told_by_a_signature_for_this_cache_alone(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = client(1).connection_pool.connection_kwargs["credential_provider"]
    user, token = credentials.get_credentials()

    assert user == "users"
    assert "rehearsal" not in token
    right = {
        "service": "elasticache",
        "resource": "cache",
        "user": "users",
        "account": "111111111111",
        "region": "us-east-1",
    }
    assert iam_tokens.is_valid(token, **right)
    assert not iam_tokens.is_valid(token, **{**right, "resource": "another"})


def test_what_else_a_token_has_to_say_is_no_part_of_the_users_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal")
    request = "cache/?Action=connect&User=users&ResourceType=ServerlessCache"

    user, token = index.SignedToken(request, "elasticache").get_credentials()

    assert user == "users"
    assert "&ResourceType=ServerlessCache&" in token


def test_an_error_is_the_answer_to_its_command_and_the_others_have_theirs(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "cache", lambda: cache)

    first, second, third = index.run(
        {"commands": [["SET", "a", "text"], ["INCR", "a"], ["GET", "a"]]}, None
    )

    assert (first, third) == (True, "text")
    assert "not an integer" in second


def test_the_entry_points_use_the_table_and_the_time_to_live_of_the_environment(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = Users()
    monkeypatch.setattr(index, "cache", lambda: cache)
    monkeypatch.setattr(index, "table", lambda: users)
    monkeypatch.setenv("TIME_TO_LIVE_S", "7")

    index.put({"user": ADA}, None)
    assert 0 < cache.ttl("user:ada") <= 7
    assert index.get({"user_id": "ada"}, None)["source"] == "cache"
    index.delete({"user_id": "ada"}, None)
    assert index.get({"user_id": "ada"}, None)["user"] is None


def test_users_are_items_of_text_in_the_table() -> None:
    client = boto3.client("dynamodb", aws_access_key_id="testing", aws_secret_access_key="testing")
    item = {"user_id": {"S": "ada"}, "name": {"S": "Ada"}}
    key = {"TableName": "users", "Key": {"user_id": {"S": "ada"}}}
    table = index.Table(client, "users")

    with Stubber(client) as stub:
        stub.add_response("put_item", {}, {"TableName": "users", "Item": item})
        stub.add_response("get_item", {"Item": item}, key)
        stub.add_response("get_item", {}, key)
        stub.add_response("delete_item", {}, key)
        table.put(ADA)
        assert table.get("ada") == ADA
        assert table.get("ada") is None
        table.delete("ada")
        stub.assert_no_pending_responses()
