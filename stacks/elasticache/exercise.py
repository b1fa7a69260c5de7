"""See the cache work: ``make rehearse BLUEPRINT=elasticache``, or ``make exercise`` once on AWS.

On AWS it fills the cache and reboots its node, which then is away for a minute or two and empty.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, Invoke, Wait

MEBIBYTE = 1024 * 1024

Answer = dict[str, Any]
Call = Callable[..., Any]
User = dict[str, str]


@pytest.fixture(scope="module")
def call(invoke: Invoke, outputs: dict[str, str]) -> Call:
    """Call a function of the stack, ``call("GetUser", user_id="ada")``."""
    return lambda name, **event: invoke(outputs[f"{name}Name"], **event)


@pytest.fixture(scope="module")
def run(call: Call) -> Call:
    """Run commands on the cache: ``run("INFO memory", "PTTL user:ada")``."""

    def commands(*lines: str) -> list[Any]:
        answers: list[Any] = call("RunCommands", commands=[line.split() for line in lines])
        return answers

    return commands


class UsersTable:
    """The table itself, written behind the cache's back."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        """Open the table of that name."""
        self.dynamodb, self.name = dynamodb, name

    def put(self, user: User) -> None:
        """Put a user in, and tell the cache nothing."""
        item = {name: {"S": value} for name, value in user.items()}
        self.dynamodb.put_item(TableName=self.name, Item=item)

    def get(self, user_id: str) -> User | None:
        """A user, as the last write left them."""
        found = self.dynamodb.get_item(
            TableName=self.name, Key={"user_id": {"S": user_id}}, ConsistentRead=True
        )
        item = found.get("Item")
        return {name: value["S"] for name, value in item.items()} if item else None


@pytest.fixture(scope="module")
def table(client: Client, outputs: dict[str, str]) -> UsersTable:
    """Where the users really are."""
    return UsersTable(client("dynamodb"), outputs["UsersTableName"])


@pytest.fixture
def ada(table: UsersTable, call: Call) -> Iterator[User]:
    """A user in the table of whom the cache has never heard; gone in the end."""
    user = {"user_id": f"ada-{uuid4().hex[:8]}", "name": "Ada"}
    table.put(user)
    yield user
    call("DeleteUser", user_id=user["user_id"])


@pytest.fixture
def nodes_only(outputs: dict[str, str]) -> None:
    """What a serverless cache does not let one do."""
    if outputs["Deployment"] != "node-based":
        pytest.skip("the cache is serverless: it has no parameter group and no node to reboot")


def seen(answer: Answer) -> tuple[str, str]:
    """The user's name, and where it came from."""
    return answer["user"]["name"], answer["source"]


@pytest.mark.concept("elasticache.engines")
def test_the_engine_is_valkey(run: Call) -> None:
    [server] = run("INFO server")

    assert server["server_name"] == "valkey"
    assert int(server["valkey_version"].split(".")[0]) >= 8


@pytest.mark.concept("elasticache.engines")
def test_the_cache_encrypts_and_its_users_log_in_by_iam(
    client: Client, outputs: dict[str, str], nodes_only: None
) -> None:
    elasticache = client("elasticache")
    [cache] = elasticache.describe_replication_groups(ReplicationGroupId=outputs["CacheName"])[
        "ReplicationGroups"
    ]
    assert cache["Engine"] == "valkey"
    assert cache["TransitEncryptionEnabled"] is cache["AtRestEncryptionEnabled"] is True

    [group] = elasticache.describe_user_groups(UserGroupId=cache["UserGroupIds"][0])["UserGroups"]
    users = [elasticache.describe_users(UserId=each)["Users"][0] for each in group["UserIds"]]
    assert {user["Authentication"]["Type"] for user in users} == {"iam"}


def test_a_user_of_the_cache_may_do_no_more_than_its_rules_say(run: Call) -> None:
    for answer in run("SET user:eve Eve", "DBSIZE", "FLUSHALL"):
        assert "no permissions" in answer


@pytest.mark.concept("elasticache.lazy-loading")
def test_the_second_read_comes_from_the_cache_and_is_as_old_as_the_first(
    call: Call, run: Call, table: UsersTable, ada: User, wait: Wait
) -> None:
    def read() -> tuple[str, str]:
        return seen(call("GetUser", user_id=ada["user_id"]))

    assert read() == ("Ada", "table")
    assert read() == ("Ada", "cache")

    table.put({**ada, "name": "Countess Lovelace"})
    assert read() == ("Ada", "cache")

    assert run(f"PEXPIRE user:{ada['user_id']} 200") == [True]
    wait(0.3)
    assert read() == ("Countess Lovelace", "table")


@pytest.mark.concept("elasticache.lazy-loading")
def test_who_is_not_in_the_table_is_not_cached(call: Call) -> None:
    nobody = f"nobody-{uuid4().hex[:8]}"

    for _ in range(2):
        assert call("GetUser", user_id=nobody) == {"user": None, "source": "table", "cache": "miss"}


@pytest.mark.concept("elasticache.write-through")
def test_what_is_written_is_in_the_cache_before_anybody_reads_it(
    call: Call, table: UsersTable, ada: User
) -> None:
    call("GetUser", user_id=ada["user_id"])

    countess = {**ada, "name": "Countess Lovelace"}
    assert call("PutUser", user=countess) == {"cached": True}

    assert seen(call("GetUser", user_id=ada["user_id"])) == ("Countess Lovelace", "cache")
    assert table.get(ada["user_id"]) == countess


@pytest.mark.concept("elasticache.ttl")
def test_a_copy_counts_down_and_is_gone_when_its_time_is_over(
    call: Call, run: Call, ada: User, outputs: dict[str, str], wait: Wait
) -> None:
    key, longest = f"user:{ada['user_id']}", int(outputs["TimeToLive"])
    call("PutUser", user=ada)
    [before] = run(f"PTTL {key}")
    assert longest - 10 < before / 1000 <= longest

    [after] = run(f"PTTL {key}")
    assert after < before

    run(f"PEXPIRE {key} 200")
    wait(0.3)
    assert run(f"EXISTS {key}") == [0]
    assert call("GetUser", user_id=ada["user_id"])["cache"] == "miss"


@pytest.mark.concept("elasticache.delete")
def test_a_deleted_copy_is_read_anew(call: Call, run: Call, ada: User) -> None:
    call("PutUser", user=ada)

    assert run(f"DEL user:{ada['user_id']}") == [1]

    assert seen(call("GetUser", user_id=ada["user_id"])) == ("Ada", "table")
    assert seen(call("GetUser", user_id=ada["user_id"])) == ("Ada", "cache")


@pytest.mark.concept("elasticache.delete")
def test_with_a_user_goes_the_copy(call: Call, run: Call, table: UsersTable, ada: User) -> None:
    call("PutUser", user=ada)

    assert call("DeleteUser", user_id=ada["user_id"]) == {"invalidated": True}

    assert run(f"EXISTS user:{ada['user_id']}") == [0]
    assert table.get(ada["user_id"]) is None


@pytest.fixture
def fill(run: Call) -> Iterator[Callable[[int], None]]:
    """Write so many values of a mebibyte, without a TTL, that nobody will read; gone in the end."""
    written: list[str] = []

    def write(number: int) -> None:
        keys = [f"filler:{uuid4().hex}" for _ in range(number)]
        written.extend(keys)
        # The engine fills up what comes before: little has to travel.
        answers = run(*(f"SETRANGE {key} {MEBIBYTE - 1} ." for key in keys))
        assert answers == [MEBIBYTE] * number

    yield write
    for start in range(0, len(written), 500):
        run("DEL " + " ".join(written[start : start + 500]))


@pytest.mark.concept("elasticache.eviction")
def test_a_full_cache_evicts_what_was_not_used_lately(
    call: Call,
    run: Call,
    ada: User,
    fill: Callable[[int], None],
    wait: Wait,
    nodes_only: None,
) -> None:
    [memory] = run("INFO memory")
    assert memory["maxmemory_policy"] == "allkeys-lru"
    free = (memory["maxmemory"] - memory["used_memory"]) // MEBIBYTE
    [before] = run("INFO stats")
    call("PutUser", user=ada)

    fill(free * 3 // 4)
    wait(1.2)  # the engine counts idle time in seconds
    for _ in range(6):
        assert call("GetUser", user_id=ada["user_id"])["source"] == "cache"
        fill(free // 12)

    [after] = run("INFO stats")
    assert after["evicted_keys"] > before["evicted_keys"]
    assert call("GetUser", user_id=ada["user_id"])["source"] == "cache"


@pytest.mark.concept("elasticache.lazy-loading")
def test_while_the_cache_is_away_reads_and_writes_go_to_the_table_and_say_so(
    call: Call,
    table: UsersTable,
    ada: User,
    client: Client,
    outputs: dict[str, str],
    eventually: Eventually,
    nodes_only: None,
) -> None:
    elasticache = client("elasticache")
    call("PutUser", user=ada)
    [group] = elasticache.describe_replication_groups(ReplicationGroupId=outputs["CacheName"])[
        "ReplicationGroups"
    ]

    def cache() -> str:
        return str(call("GetUser", user_id=ada["user_id"])["cache"])

    for node in group["MemberClusters"]:
        elasticache.reboot_cache_cluster(CacheClusterId=node, CacheNodeIdsToReboot=["0001"])
    eventually(lambda: cache() == "unreachable", within=300)
    assert seen(call("GetUser", user_id=ada["user_id"])) == ("Ada", "table")
    countess = {**ada, "name": "Countess Lovelace"}
    call("PutUser", user=countess)
    assert table.get(ada["user_id"]) == countess

    eventually(lambda: cache() == "hit", within=600)
    assert seen(call("GetUser", user_id=ada["user_id"])) == ("Countess Lovelace", "cache")


@pytest.mark.aws_only
@pytest.mark.concept("memorydb.durable-store")
def test_memorydb_keeps_what_it_answered_when_another_node_takes_over(
    call: Call, client: Client, outputs: dict[str, str], eventually: Eventually
) -> None:
    if "MemoryDbName" not in outputs:
        pytest.skip("deployed without MemoryDB; README.md says how to add it")
    memorydb = client("memorydb")
    key = f"order:{uuid4().hex}"

    def run(line: str) -> Any:
        return call("RunMemoryDbCommands", commands=[line.split()])[0]

    def shard() -> dict[str, Any]:
        [cluster] = memorydb.describe_clusters(
            ClusterName=outputs["MemoryDbName"], ShowShardDetails=True
        )["Clusters"]
        described: dict[str, Any] = cluster["Shards"][0] | {"Cluster": cluster["Status"]}
        return described

    run(f"SETRANGE {key} 0 paid")
    memorydb.failover_shard(ClusterName=outputs["MemoryDbName"], ShardName=shard()["Name"])
    eventually(lambda: shard()["Cluster"] != "available", within=120)
    eventually(lambda: shard()["Cluster"] == "available", within=900)

    assert eventually(lambda: run(f"GET {key}"), within=60) == "paid"
    run(f"DEL {key}")
