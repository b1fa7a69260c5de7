"""Users, of whom a cache keeps copies: it may forget any of them, and may itself be away."""

import functools
import json
import logging
import os
from typing import Any, Protocol

import boto3
import valkey
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from valkey.backoff import NoBackoff
from valkey.retry import Retry

logger = logging.getLogger()
logger.setLevel(logging.INFO)

User = dict[str, str]

# For the cache to be reached, and to answer; the client tries twice.
CACHE_TIMEOUT_S = 1
# A token logs in for this long; https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
TOKEN_LASTS_S = 900


class Cache(Protocol):
    """What is needed of a cache's client."""

    def get(self, name: str, /) -> Any:
        """The value of a key, None if it is not there."""

    def set(self, name: str, value: str, /, *, ex: int) -> Any:
        """Give a key a value for ``ex`` seconds."""

    def delete(self, name: str, /) -> Any:
        """Take a key away; one that is not there is no error."""


class Users(Protocol):
    """Where the users really are."""

    def get(self, user_id: str) -> User | None:
        """A user by id."""

    def put(self, user: User) -> None:
        """Put a user in, in place of one with the same id."""

    def delete(self, user_id: str) -> None:
        """Take a user out; one who is not there is no error."""


def get(event: dict[str, str], context: object) -> dict[str, Any]:
    return read(event["user_id"], table(), cache(), time_to_live_s())


def put(event: dict[str, User], context: object) -> dict[str, Any]:
    return write(event["user"], table(), cache(), time_to_live_s())


def delete(event: dict[str, str], context: object) -> dict[str, Any]:
    return remove(event["user_id"], table(), cache())


def run(event: dict[str, list[list[str | int]]], context: object) -> list[Any]:
    """Run commands for somebody who has no other way to the cache; errors are answers."""
    pipeline: Any = cache().pipeline(transaction=False)
    for command in event["commands"]:
        pipeline.execute_command(*command)
    answers = pipeline.execute(raise_on_error=False)
    return [f"{answer}" if isinstance(answer, Exception) else answer for answer in answers]


def read(user_id: str, users: Users, cache: Cache, time_to_live_s: int) -> dict[str, Any]:
    """Lazy loading: what the cache does not have is read from the table and left in the cache.

    The copy ends with its time to live, because nobody tells the cache of changes of the table.
    """
    try:
        copy = cache.get(key(user_id))
    except valkey.ValkeyError:
        logger.exception("No cache to read from: user %s", user_id)
        return {"user": users.get(user_id), "source": "table", "cache": "unreachable"}
    if copy:
        return {"user": json.loads(copy), "source": "cache", "cache": "hit"}
    user = users.get(user_id)
    if user:
        keep(user, cache, time_to_live_s)
    return {"user": user, "source": "table", "cache": "miss"}


def write(user: User, users: Users, cache: Cache, time_to_live_s: int) -> dict[str, Any]:
    """Write-through: the table first, which is what counts, and then the copy."""
    users.put(user)
    return {"cached": keep(user, cache, time_to_live_s)}


def remove(user_id: str, users: Users, cache: Cache) -> dict[str, Any]:
    """Delete a user and then the copy, which would otherwise outlive the user."""
    users.delete(user_id)
    try:
        cache.delete(key(user_id))
    except valkey.ValkeyError:
        logger.exception("A copy may be left until its time ends: user %s", user_id)
        return {"invalidated": False}
    return {"invalidated": True}


def keep(user: User, cache: Cache, time_to_live_s: int) -> bool:
    """Leave a copy in the cache, if there is one; tell whether it is there."""
    try:
        cache.set(key(user["user_id"]), json.dumps(user), ex=time_to_live_s)
    except valkey.ValkeyError:
        logger.exception("Not cached: user %s", user["user_id"])
        return False
    return True


def key(user_id: str) -> str:
    return f"user:{user_id}"


def time_to_live_s() -> int:
    return int(os.environ["TIME_TO_LIVE_S"])


@functools.cache
def cache() -> valkey.Valkey:
    """The cache's client, whose connection is kept from call to call."""
    return valkey.Valkey(
        os.environ["CACHE_HOST"],
        int(os.environ["CACHE_PORT"]),
        ssl=True,
        credential_provider=SignedToken(os.environ["SIGN_IN"], os.environ["SIGN_IN_SERVICE"]),
        socket_connect_timeout=CACHE_TIMEOUT_S,
        socket_timeout=CACHE_TIMEOUT_S,
        # A connection that was left alone for long may have been closed: try once more, at once.
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )


class SignedToken(valkey.CredentialProvider):
    """Logs in with a request that is signed and never sent: no secret, and no call, is needed.

    Args:
        request: As in ``cache/?Action=connect&User=ada``: who connects, and to what.
        service: ``elasticache`` or ``memorydb``.
    """

    def __init__(self, request: str, service: str) -> None:
        self.request, self.service = request, service

    def get_credentials(self) -> tuple[str, str]:
        """Who logs in, and the token; asked for anew for every connection."""
        session = boto3.session.Session()
        request = AWSRequest("GET", f"http://{self.request}")
        SigV4QueryAuth(
            session.get_credentials(), self.service, session.region_name, TOKEN_LASTS_S
        ).add_auth(request)
        user = self.request.rpartition("User=")[2].partition("&")[0]
        return user, request.url.removeprefix("http://")


class Table:
    """Users in DynamoDB, where all that is known of them is text."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def get(self, user_id: str) -> User | None:
        """A user by id."""
        found = self.client.get_item(TableName=self.name, Key={"user_id": {"S": user_id}})
        if "Item" not in found:
            return None
        return {name: value["S"] for name, value in found["Item"].items()}

    def put(self, user: User) -> None:
        """Put a user in, in place of one with the same id."""
        item = {name: {"S": value} for name, value in user.items()}
        self.client.put_item(TableName=self.name, Item=item)

    def delete(self, user_id: str) -> None:
        """Take a user out; one who is not there is no error."""
        self.client.delete_item(TableName=self.name, Key={"user_id": {"S": user_id}})


@functools.cache
def table() -> Table:
    bounded = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 2})
    return Table(boto3.client("dynamodb", config=bounded), os.environ["TABLE_NAME"])
