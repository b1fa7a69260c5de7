import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkey
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from valkey.exceptions import AuthenticationError, NoPermissionError

from rehearsal.extension import iam_tokens
from tests.rehearsal.extension.conftest import (
    ACCOUNT,
    Client,
    Deploy,
    Resources,
    Server,
    Stack,
    start_server,
    stop_server,
)
from tests.rehearsal.extension.test_server import gone, group_members

# Tells what a function reads from a cache that encrypts, trusting whom it trusts anyway.
FUNCTION = """
import socket, ssl

def handler(event, context):
    plain = socket.create_connection((event["host"], int(event["port"])))
    with ssl.create_default_context().wrap_socket(plain, server_hostname=event["host"]) as cache:
        cache.sendall(b"*1\\r\\n$4\\r\\nPING\\r\\n")
        return cache.recv(100).decode()
"""


def cache(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::ElastiCache::ReplicationGroup",
        "Properties": {
            "ReplicationGroupDescription": "test",
            "Engine": "valkey",
            "EngineVersion": "8.2",
            "CacheNodeType": "cache.t4g.micro",
            "NumCacheClusters": 1,
            **properties,
        },
    }


def policy(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::ElastiCache::ParameterGroup",
        "Properties": {
            "CacheParameterGroupFamily": "valkey8",
            "Description": "test",
            "Properties": {"maxmemory-policy": name},
        },
    }


def user(name: str, rules: str) -> dict[str, Any]:
    return {
        "Type": "AWS::ElastiCache::User",
        "Properties": {
            "UserId": name,
            "UserName": name,
            "Engine": "valkey",
            "AccessString": rules,
            "AuthenticationMode": {"Type": "iam"},
        },
    }


def users(group: str, *names: str) -> dict[str, Any]:
    return {
        "Type": "AWS::ElastiCache::UserGroup",
        "Properties": {
            "UserGroupId": group,
            "Engine": "valkey",
            "UserIds": [{"Ref": name} for name in names],
        },
    }


def port(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "PrimaryEndPoint.Port"]}


def connect(port: str, **options: Any) -> Any:
    return valkey.Valkey("127.0.0.1", int(port), decode_responses=True, **options)


def authorities(server: Server) -> str:
    """Whom the emulator's functions trust."""
    [bundle] = server.state.glob("tmp/certificates-*/authorities.pem")
    return str(bundle)


def token(name: str, cache: str, **changed: Any) -> str:
    """What a user of that name gives in place of a password."""
    given = {
        "service": "elasticache",
        "region": "us-east-1",
        "secret": "rehearsal",
        "expires": 900,
        "action": "connect",
        **changed,
    }
    request = AWSRequest("GET", f"http://{cache}/?Action={given['action']}&User={name}")
    credentials = Credentials(ACCOUNT, given["secret"])
    SigV4QueryAuth(credentials, given["service"], given["region"], given["expires"]).add_auth(
        request
    )
    return str(request.url).removeprefix("http://")


class Guarded:
    """A cache with two users, ``reader`` and ``writer``, who log in by IAM."""

    def __init__(self, deploy: Deploy, server: Server) -> None:
        self.reader, self.writer, self._group = (
            f"{name}-{time.monotonic_ns()}" for name in ("reader", "writer", "users")
        )
        self.stack = deploy(self.resources("Reader", "Writer"), Port=port("Cache"))
        self.port = self.stack.outputs["Port"]
        self._tls = {"ssl": True, "ssl_ca_certs": authorities(server)}

    def resources(self, *members: str) -> Resources:
        everybody = {
            "Reader": user(self.reader, "on ~user:* -@all +get"),
            "Writer": user(self.writer, "on ~user:* -@all +get +set"),
        }
        return {
            **{name: everybody[name] for name in members},
            "Users": users(self._group, *members),
            "Cache": cache(TransitEncryptionEnabled=True, UserGroupIds=[{"Ref": "Users"}]),
        }

    def log_in(self, name: str, password: str | None = None, protocol: int = 2) -> Any:
        given = password or token(name, self.stack["Cache"])
        return connect(self.port, username=name, password=given, protocol=protocol, **self._tls)

    def anonymous(self) -> Any:
        return connect(self.port, **self._tls)


@pytest.fixture
def guarded(deploy: Deploy, server: Server) -> Guarded:
    return Guarded(deploy, server)


def test_each_cache_is_a_valkey_server_of_its_own(deploy: Deploy) -> None:
    stack = deploy({"One": cache(), "Other": cache()}, One=port("One"), Other=port("Other"))
    one, other = connect(stack.outputs["One"]), connect(stack.outputs["Other"])

    one.set("key", "value")

    assert one.get("key") == "value"
    assert other.get("key") is None
    assert one.info("server")["server_name"] == "valkey"


def test_the_described_endpoint_is_the_one_that_answers(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Cache": cache()}, Port=port("Cache"))

    described = client("elasticache").describe_replication_groups(
        ReplicationGroupId=stack["Cache"]
    )["ReplicationGroups"][0]

    endpoint = described["NodeGroups"][0]["PrimaryEndpoint"]
    assert (endpoint["Address"], str(endpoint["Port"])) == ("127.0.0.1", stack.outputs["Port"])


def test_the_engine_has_the_parameters_of_the_group_and_of_the_next_one(deploy: Deploy) -> None:
    resources: Resources = {
        "Any": policy("allkeys-lru"),
        "Oldest": policy("volatile-ttl"),
        "Cache": cache(CacheParameterGroupName={"Ref": "Any"}),
    }
    stack = deploy(resources, Port=port("Cache"))
    assert policy_of(stack) == "allkeys-lru"

    resources["Cache"] = cache(CacheParameterGroupName={"Ref": "Oldest"})
    stack.update(resources, Port=port("Cache"))
    assert policy_of(stack) == "volatile-ttl"

    resources["Oldest"] = policy("noeviction")
    stack.update(resources, Port=port("Cache"))
    assert policy_of(stack) == "noeviction"


def test_without_a_group_the_engine_has_elasticaches_defaults_not_its_own(deploy: Deploy) -> None:
    assert policy_of(deploy({"Cache": cache()}, Port=port("Cache"))) == "volatile-lru"


def policy_of(stack: Stack) -> str:
    return str(connect(stack.outputs["Port"]).info("memory")["maxmemory_policy"])


def test_administration_is_nobodys(deploy: Deploy) -> None:
    cache_ = connect(deploy({"Cache": cache()}, Port=port("Cache")).outputs["Port"])

    for command in ("CONFIG GET *", "SHUTDOWN", "SAVE"):
        with pytest.raises(NoPermissionError):
            cache_.execute_command(*command.split())


@pytest.mark.parametrize("protocol", [2, 3], ids=["AUTH", "HELLO"])
def test_a_user_logs_in_with_a_token_and_may_do_what_its_rules_say(
    guarded: Guarded, protocol: int
) -> None:
    writer = guarded.log_in(guarded.writer, protocol=protocol)
    reader = guarded.log_in(guarded.reader, protocol=protocol)

    writer.set("user:1", "Ada")

    assert reader.get("user:1") == "Ada"
    with pytest.raises(NoPermissionError):
        reader.set("user:1", "Eve")
    with pytest.raises(NoPermissionError):
        writer.set("anything else", "Eve")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "somebody-else"},
        {"cache": "another"},
        {"secret": "wrong"},
        {"region": "eu-west-1"},
        {"service": "memorydb"},
        {"action": "disconnect"},
        {"expires": 901},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_token_for_anything_else_logs_nobody_in(
    guarded: Guarded, changed: dict[str, Any]
) -> None:
    given = {"name": guarded.writer, "cache": guarded.stack["Cache"], **changed}

    with pytest.raises(AuthenticationError):
        guarded.log_in(guarded.writer, token(**given)).get("user:1")


def test_a_token_is_good_for_as_long_as_it_says_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal")
    given = token("ada", "cache")
    now = time.time()

    def is_valid(after: float) -> bool:
        monkeypatch.setattr(iam_tokens, "machine_time", lambda: now + after)
        return iam_tokens.is_valid(
            given,
            service="elasticache",
            resource="cache",
            user="ada",
            account=ACCOUNT,
            region="us-east-1",
        )

    assert [is_valid(after) for after in (-60, 0, 890, 901)] == [False, True, True, False]


def test_a_cache_with_users_has_no_default_one(guarded: Guarded) -> None:
    with pytest.raises(AuthenticationError):
        guarded.anonymous().get("user:1")


def test_who_leaves_the_group_is_cut_off_when_the_next_one_connects(guarded: Guarded) -> None:
    reader = guarded.log_in(guarded.reader)
    reader.get("user:1")

    guarded.stack.update(guarded.resources("Writer"), Port=port("Cache"))
    guarded.log_in(guarded.writer).get("user:1")

    with pytest.raises(AuthenticationError):
        reader.get("user:1")


def test_who_logs_in_by_iam_is_described_so(guarded: Guarded, client: Client) -> None:
    [described] = client("elasticache").describe_users(UserId=guarded.writer)["Users"]

    assert described["Authentication"]["Type"] == "iam"


def test_a_cache_that_encrypts_does_nothing_else(guarded: Guarded) -> None:
    with pytest.raises(valkey.ConnectionError):
        connect(guarded.port).ping()


def test_its_certificate_is_trusted_by_functions_and_by_strict_clients_and_nobody_else(
    guarded: Guarded, server: Server, deploy: Deploy, client: Client
) -> None:
    endpoint = guarded.port
    role = {"Version": "2012-10-17", "Statement": []}
    stack = deploy(
        {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": role}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {"ZipFile": FUNCTION},
                    "Handler": "index.handler",
                    "Runtime": "python3.13",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
        }
    )
    answer = client("lambda").invoke(
        FunctionName=stack["Function"],
        Payload=json.dumps({"host": "127.0.0.1", "port": endpoint}),
    )
    assert json.load(answer["Payload"]) == "-NOAUTH Authentication required.\r\n"

    strict = ssl.create_default_context(cafile=authorities(server))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    for context, host, trusted in (
        (strict, "127.0.0.1", True),
        (strict, "example.com", False),
        (ssl.create_default_context(), "127.0.0.1", False),
    ):
        assert trusts(context, host, int(endpoint)) is trusted


def trusts(context: ssl.SSLContext, host: str, port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as plain:
            context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_a_rebooted_cache_is_away_for_a_moment_and_comes_back_empty(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy({"Cache": cache()}, Port=port("Cache"))
    cache_ = connect(stack.outputs["Port"])
    cache_.set("key", "value")

    client("elasticache").reboot_cache_cluster(
        CacheClusterId=f"{stack['Cache']}-0001-001", CacheNodeIdsToReboot=["0001"]
    )

    with pytest.raises(valkey.ConnectionError):
        cache_.get("key")
    deadline = time.monotonic() + 10
    while True:
        try:
            assert cache_.get("key") is None
        except valkey.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break
    assert cache_.info("memory")["maxmemory_policy"] == "volatile-lru"


def test_a_deleted_cache_is_gone(deploy: Deploy) -> None:
    stack = deploy({"Cache": cache()}, Port=port("Cache"))
    cache_ = connect(stack.outputs["Port"])
    cache_.ping()

    stack.delete()

    with pytest.raises(valkey.ConnectionError):
        cache_.ping()


def test_a_cache_of_several_shards_is_refused(attempt: Deploy) -> None:
    stack = attempt({"Cache": cache(NumNodeGroups=3, ReplicasPerNodeGroup=0)})

    assert stack.status == "ROLLBACK_COMPLETE"
    assert any("have one shard" in reason for reason in stack.reasons)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "state")
    yield server
    stop_server(server)


def test_no_engine_runs_before_there_is_a_cache_and_none_outlives_the_emulator(
    own_server: Server,
) -> None:
    group = own_server.process.pid
    alone = group_members(group)

    stack = Stack(own_server.client("cloudformation"), "s").create({"Cache": cache()})
    assert stack.status == "CREATE_COMPLETE", stack.reasons
    [engine] = set(group_members(group)) - set(alone)
    assert Path(f"/proc/{engine}/exe").readlink().name == "valkey-server"
    assert not any(Path(f"/proc/{each}/exe").readlink().name == "valkey-server" for each in alone)

    own_server.process.terminate()
    own_server.process.wait(5)
    assert gone(group)
