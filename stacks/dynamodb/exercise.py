"""See the tables work: ``make rehearse BLUEPRINT=dynamodb``, or ``make exercise`` once on AWS."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Invoke, Wait

KIBIBYTE = 1024
# DynamoDB promises to remove what has expired within a few days, and usually needs minutes.
TTL_PATIENCE_S = {"rehearsal": 30, "aws": 2 * 24 * 3600}

Item = dict[str, Any]


def described(item: Item) -> Item:
    """Python values as DynamoDB describes them: ``{"n": 1}`` is ``{"n": {"N": "1"}}``."""
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def plain(item: Item) -> Item:
    """The reverse of ``described``."""
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def refused(code: str) -> Any:
    """The next call is expected to fail with this error."""
    return pytest.raises(ClientError, match=code)


def units(answer: dict[str, Any]) -> float:
    """The capacity units that a call consumed, when asked to tell."""
    return float(answer["ConsumedCapacity"]["CapacityUnits"])


class Table:
    """A deployed table, for the length of a test: what it wrote is deleted in the end.

    Items are Python values. ``values`` are those of an expression's placeholders, without their
    colons; other arguments go to boto3 as they are.
    """

    def __init__(self, dynamodb: Any, name: str) -> None:
        """Open the table called ``name``."""
        self.dynamodb, self.name = dynamodb, name
        schema = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
        self.key_names = [key["AttributeName"] for key in schema]
        self.written: list[Item] = []

    def key_of(self, item: Item) -> Item:
        """The key of an item, which will be deleted in the end."""
        key = {name: item[name] for name in self.key_names}
        if key not in self.written:
            self.written.append(key)
        return key

    def put(self, item: Item, values: Item | None = None, **options: Any) -> dict[str, Any]:
        """Write an item, whatever was there."""
        self.key_of(item)
        return self._call("put_item", values, Item=described(item), **options)

    def update(
        self, key: Item, expression: str, values: Item | None = None, **options: Any
    ) -> dict[str, Any]:
        """Change an item, or make it."""
        return self._call(
            "update_item",
            values,
            Key=described(self.key_of(key)),
            UpdateExpression=expression,
            **options,
        )

    def delete(self, key: Item, **options: Any) -> dict[str, Any]:
        """Remove an item."""
        return self._call("delete_item", None, Key=described(self.key_of(key)), **options)

    def read(self, key: Item, **options: Any) -> dict[str, Any]:
        """Read an item, eventually consistently unless told otherwise: boto3's whole answer."""
        return self._call("get_item", None, Key=described(key), **options)

    def read_units(self, key: Item, **options: Any) -> float:
        """The read capacity units that reading an item takes."""
        return units(self.read(key, ReturnConsumedCapacity="TOTAL", **options))

    def get(self, key: Item) -> Item | None:
        """The latest state of an item."""
        answer = self.read(key, ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    def query(self, condition: str, values: Item, **options: Any) -> list[Item]:
        """The items of one partition."""
        answer = self._call("query", values, KeyConditionExpression=condition, **options)
        return [plain(item) for item in answer["Items"]]

    def scan(self, **options: Any) -> list[Item]:
        """All items of the table, or of one of its segments."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, **options)
        return [plain(item) for page in pages for item in page["Items"]]

    def write(self, requests: list[dict[str, Any]]) -> None:
        """Write a batch, and again what DynamoDB had no capacity for."""
        while requests:
            answer = self.dynamodb.batch_write_item(RequestItems={self.name: requests})
            requests = answer["UnprocessedItems"].get(self.name, [])

    def close(self) -> None:
        """Delete what the test wrote."""
        keys = [{"DeleteRequest": {"Key": described(key)}} for key in self.written]
        for start in range(0, len(keys), 25):
            self.write(keys[start : start + 25])

    def _call(self, operation: str, values: Item | None, **options: Any) -> dict[str, Any]:
        if values:
            options["ExpressionAttributeValues"] = {
                f":{name}": value for name, value in described(values).items()
            }
        answer: dict[str, Any] = getattr(self.dynamodb, operation)(TableName=self.name, **options)
        return answer


Open = Callable[[str], Table]


@pytest.fixture
def open_table(client: Client, outputs: dict[str, str]) -> Iterator[Open]:
    """Open tables by the name of their output."""
    with contextlib.ExitStack() as stack:

        def open_(output: str) -> Table:
            table = Table(client("dynamodb"), outputs[output])
            stack.callback(table.close)
            return table

        yield open_


@pytest.fixture
def users(open_table: Open) -> Table:
    """Keyed by user_id."""
    return open_table("UsersTableName")


@pytest.fixture
def scores(open_table: Open) -> Table:
    """Keyed by user_id and game_id, with both kinds of index."""
    return open_table("ScoresTableName")


@pytest.fixture
def log_lines(open_table: Open) -> Table:
    """Keyed by app and ts."""
    return open_table("LogLinesTableName")


@pytest.fixture
def seasons(open_table: Open) -> Table:
    """Keyed by season; one read and one write capacity unit."""
    return open_table("SeasonsTableName")


@pytest.fixture
def name() -> str:
    """A name that no other test or run has used."""
    return f"exercise-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def add_points(invoke: Invoke, outputs: dict[str, str]) -> Callable[..., dict[str, int]]:
    """Add points through the function that does it."""
    return partial(invoke, outputs["AddPointsName"])


@pytest.fixture
def changes(
    open_table: Open, scores: Table, eventually: Eventually
) -> Iterator[Callable[[Item], list[Item]]]:
    """What the stream function has recorded of a score, oldest first."""
    table = open_table("ChangesTableName")
    asked: dict[str, Item] = {}

    def recorded(score: Item) -> list[Item]:
        name = f"{score['user_id']}/{score['game_id']}"
        asked[name] = score
        found = table.query("score = :score", {"score": name}, ConsistentRead=True)
        for change in found:
            table.key_of(change)
        return found

    def removed(score: Item) -> bool:
        return bool(recorded(score)[-1]["event"] == "REMOVE")

    yield recorded
    for score in list(asked.values()):
        scores.delete(score)  # which is another change
        if recorded(score):
            eventually(partial(removed, score), within=90)


# Keys


@pytest.mark.concept("dynamodb.serverless-nosql")
def test_items_of_one_table_need_nothing_in_common_but_the_key(users: Table, name: str) -> None:
    ada = {"user_id": f"{name}-ada", "city": "London"}
    bob = {"user_id": f"{name}-bob", "languages": ["de", "fr"], "age": 42}
    for user in (ada, bob):
        users.put(user)

    found = [user for user in users.scan(ConsistentRead=True) if user["user_id"].startswith(name)]
    assert sorted(found, key=lambda user: str(user["user_id"])) == [ada, bob]


@pytest.mark.concept("dynamodb.primary-key-simple")
def test_a_second_item_with_the_same_key_replaces_the_first(users: Table, name: str) -> None:
    users.put({"user_id": name, "city": "Bern"})
    users.put({"user_id": name, "age": 42})

    assert users.get({"user_id": name}) == {"user_id": name, "age": 42}


@pytest.mark.concept("dynamodb.primary-key-composite")
def test_the_lines_of_an_app_come_newest_first_and_from_a_span_of_time(
    log_lines: Table, name: str
) -> None:
    for minute in (3, 1, 4, 2):
        log_lines.put({"app": f"{name}-shop", "ts": f"2030-01-01T00:0{minute}:00Z"})
    log_lines.put({"app": f"{name}-mail", "ts": "2030-01-01T00:02:30Z"})

    found = log_lines.query(
        "app = :app AND ts BETWEEN :since AND :until",
        {
            "app": f"{name}-shop",
            "since": "2030-01-01T00:02:00Z",
            "until": "2030-01-01T00:03:59Z",
        },
        ScanIndexForward=False,
        ConsistentRead=True,
    )
    assert found == [
        {"app": f"{name}-shop", "ts": "2030-01-01T00:03:00Z"},
        {"app": f"{name}-shop", "ts": "2030-01-01T00:02:00Z"},
    ]


@pytest.fixture
def apps(log_lines: Table, name: str) -> list[str]:
    """Twelve apps with three lines each."""
    apps = [f"{name}-{n:02}" for n in range(12)]
    for app in apps:
        for ts in ("first", "second", "third"):
            log_lines.put({"app": app, "ts": ts})
    return apps


@pytest.mark.concept("dynamodb.partition-key-hashing")
def test_all_lines_of_an_app_are_in_the_segment_that_its_hash_picks(
    log_lines: Table, apps: list[str]
) -> None:
    homes: dict[str, set[int]] = {app: set() for app in apps}
    for segment in range(4):
        for line in log_lines.scan(Segment=segment, TotalSegments=4, ConsistentRead=True):
            if line["app"] in homes:
                homes[line["app"]].add(segment)

    assert all(len(segments) == 1 for segments in homes.values()), homes
    assert len(set.union(*homes.values())) > 1, "they should be spread"


@pytest.mark.aws_only
@pytest.mark.concept("dynamodb.partition-key-hashing")
def test_a_scan_meets_the_partition_keys_in_no_order(log_lines: Table, apps: list[str]) -> None:
    met = [line["app"] for line in log_lines.scan(ConsistentRead=True) if line["app"] in apps]
    assert met != sorted(met)


# Attributes


@pytest.mark.concept("dynamodb.attributes")
def test_an_attribute_is_given_to_one_item_and_no_other_gets_it(users: Table, name: str) -> None:
    ada, bob = {"user_id": f"{name}-ada"}, {"user_id": f"{name}-bob"}
    for user in (ada, bob):
        users.put(user)

    users.update(ada, "SET city = :city", {"city": "London"})
    assert users.get(ada) == {**ada, "city": "London"}
    assert users.get(bob) == bob


@pytest.mark.concept("dynamodb.item-size")
def test_an_item_has_at_most_400_kb_its_attributes_names_included(users: Table, name: str) -> None:
    users.put({"user_id": name, "photo": b"x" * 399 * KIBIBYTE})

    with refused("ValidationException.*[Ss]ize"):
        users.put({"user_id": name, "photo": b"x" * 410 * KIBIBYTE})
    with refused("ValidationException.*[Ss]ize"):
        users.put({"user_id": name, "photo" * KIBIBYTE: b"x" * 399 * KIBIBYTE})


@pytest.mark.concept("dynamodb.scalar-types")
def test_a_value_is_text_a_number_bytes_a_truth_value_or_null(users: Table, name: str) -> None:
    user = {
        "user_id": {"S": name},
        "weight": {"N": "0.1"},
        "photo": {"B": b"\x00\xff"},
        "adult": {"BOOL": True},
        "middle_name": {"NULL": True},
    }
    key = users.key_of({"user_id": name})
    users.dynamodb.put_item(TableName=users.name, Item=user)
    assert users.read(key, ConsistentRead=True)["Item"] == user

    users.update(key, "ADD weight :more", {"more": Decimal("0.2")})
    assert users.get(key) == {
        "user_id": name,
        "weight": Decimal("0.3"),  # as floats they would be 0.30000000000000004
        "photo": Binary(b"\x00\xff"),
        "adult": True,
        "middle_name": None,
    }


@pytest.mark.concept("dynamodb.document-types")
def test_lists_and_maps_nest_and_are_updated_by_path(users: Table, name: str) -> None:
    key = {"user_id": name}
    users.put({**key, "contact": {"phones": ["0041 1", "0041 2"], "geo": {"lat": 51}}})

    users.update(
        key,
        "SET contact.phones[0] = :phone, contact.geo.lon = :lon",
        {"phone": "0041 3", "lon": 0},
    )
    assert users.read(key, ConsistentRead=True)["Item"]["contact"] == {
        "M": {
            "phones": {"L": [{"S": "0041 3"}, {"S": "0041 2"}]},
            "geo": {"M": {"lat": {"N": "51"}, "lon": {"N": "0"}}},
        }
    }


@pytest.mark.concept("dynamodb.set-types")
def test_a_set_holds_strings_numbers_or_bytes_once_each_and_is_never_empty(
    users: Table, name: str
) -> None:
    key = {"user_id": name}
    users.put({**key, "teams": {"red"}, "lucky": {7, 13}, "badges": {b"\x00", b"\x01"}})

    users.update(key, "ADD teams :teams", {"teams": {"red", "blue"}})
    item = users.read(key, ConsistentRead=True)["Item"]
    assert sorted(item["teams"]["SS"]) == ["blue", "red"]
    assert sorted(item["lucky"]["NS"]) == ["13", "7"]
    assert sorted(item["badges"]["BS"]) == [b"\x00", b"\x01"]

    for unfit, reason in (([], "empty"), (["red", "red"], "duplicates")):
        with refused(f"ValidationException.*{reason}"):
            users.dynamodb.put_item(
                TableName=users.name, Item={**described(key), "teams": {"SS": unfit}}
            )


# Capacity and consistency


@pytest.mark.concept("dynamodb.rcu")
def test_a_read_unit_reads_four_kibibytes_strongly_or_twice_eventually(
    seasons: Table, name: str
) -> None:
    seasons.put({"season": name, "rules": "x" * int(3.9 * KIBIBYTE)})
    assert seasons.read_units({"season": name}) == 0.5
    assert seasons.read_units({"season": name}, ConsistentRead=True) == 1.0


@pytest.mark.aws_only  # The emulator counts every read as one of up to four kibibytes.
@pytest.mark.concept("dynamodb.rcu")
def test_a_larger_item_takes_a_read_unit_per_started_four_kibibytes(
    seasons: Table, name: str
) -> None:
    seasons.put({"season": name, "rules": "x" * int(4.1 * KIBIBYTE)})
    assert seasons.read_units({"season": name}) == 1.0
    assert seasons.read_units({"season": name}, ConsistentRead=True) == 2.0


@pytest.mark.aws_only
@pytest.mark.concept("dynamodb.rcu")
def test_who_reads_more_than_was_provisioned_is_throttled(
    client: Client, outputs: dict[str, str], seasons: Table, name: str
) -> None:
    seasons.put({"season": name, "rules": "x" * 40 * KIBIBYTE})
    hasty = Table(
        client("dynamodb", config=Config(retries={"total_max_attempts": 1})), seasons.name
    )

    # Up to five minutes of unused capacity are saved up: 300 units, of which a read takes 10.
    with refused("ProvisionedThroughputExceededException"):
        for _ in range(200):
            hasty.read({"season": name}, ConsistentRead=True)


@pytest.mark.concept("dynamodb.wcu")
def test_a_write_unit_writes_one_kibibyte(seasons: Table, name: str) -> None:
    for size, expected in ((0.9, 1.0), (1.1, 2.0)):
        item = {"season": name, "rules": "x" * int(size * KIBIBYTE)}
        assert units(seasons.put(item, ReturnConsumedCapacity="TOTAL")) == expected


@pytest.mark.concept("dynamodb.eventually-consistent")
def test_an_eventually_consistent_read_costs_half_and_may_be_behind(
    users: Table, name: str, eventually: Eventually
) -> None:
    key = {"user_id": name}
    for visit in range(1, 11):
        users.put({**key, "visits": visit})
        answer = users.read(key, ReturnConsumedCapacity="TOTAL")

        assert units(answer) == 0.5
        assert "Item" not in answer or plain(answer["Item"])["visits"] <= visit

    eventually(lambda: plain(users.read(key)["Item"])["visits"] == 10)


@pytest.mark.concept("dynamodb.strongly-consistent")
def test_a_strongly_consistent_read_costs_twice_as_much_and_is_never_behind(
    users: Table, name: str
) -> None:
    key = {"user_id": name}
    for visit in range(1, 11):
        users.put({**key, "visits": visit})
        answer = users.read(key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")

        assert units(answer) == 1.0
        assert plain(answer["Item"])["visits"] == visit


@pytest.mark.concept("dynamodb.eventually-consistent", "dynamodb.strongly-consistent")
def test_a_global_index_is_always_eventually_consistent(
    scores: Table, name: str, eventually: Eventually
) -> None:
    scores.put({"user_id": "ada", "game_id": name, "points": 100})

    def leaders(**options: Any) -> list[Item]:
        return scores.query("game_id = :game", {"game": name}, IndexName="Leaderboard", **options)

    eventually(leaders)
    with refused("ValidationException.*[Cc]onsistent"):
        leaders(ConsistentRead=True)


# Batches, conditions, transactions


@pytest.mark.concept("dynamodb.batch")
def test_a_batch_writes_25_items_or_reads_100_and_not_one_more(users: Table, name: str) -> None:
    everybody = [{"user_id": f"{name}-{n}"} for n in range(101)]
    keys = [described(users.key_of(user)) for user in everybody]
    puts = [{"PutRequest": {"Item": key}} for key in keys]

    with refused("ValidationException"):
        users.write(puts[:26])
    for start in range(0, 100, 25):
        users.write(puts[start : start + 25])

    def read(wanted: list[Item]) -> list[Item]:
        found = []
        while wanted:
            answer = users.dynamodb.batch_get_item(
                RequestItems={users.name: {"Keys": wanted, "ConsistentRead": True}}
            )
            found += answer["Responses"][users.name]
            wanted = answer["UnprocessedKeys"].get(users.name, {}).get("Keys", [])
        return found

    assert sorted(read(keys[:100]), key=str) == sorted(keys[:100], key=str)
    with refused("ValidationException"):
        read(keys)


@pytest.mark.concept("dynamodb.batch")
def test_a_batch_puts_and_deletes_and_has_no_updates(client: Client) -> None:
    request = client("dynamodb").meta.service_model.shape_for("WriteRequest")
    assert set(request.members) == {"PutRequest", "DeleteRequest"}


@pytest.mark.concept("dynamodb.conditional-writes")
def test_a_write_whose_condition_fails_changes_nothing(users: Table, name: str) -> None:
    first = {"user_id": name, "city": "Bern"}
    users.put(first, ConditionExpression="attribute_not_exists(user_id)")
    with refused("ConditionalCheckFailedException"):
        users.put(
            {"user_id": name, "city": "Rome"}, ConditionExpression="attribute_not_exists(user_id)"
        )
    assert users.get({"user_id": name}) == first

    nobody = {"user_id": f"{name}-nobody"}
    with refused("ConditionalCheckFailedException"):
        users.update(
            nobody,
            "SET city = :city",
            {"city": "Rome"},
            ConditionExpression="attribute_exists(user_id)",
        )
    with refused("ConditionalCheckFailedException"):
        users.delete(nobody, ConditionExpression="attribute_exists(user_id)")
    assert users.get(nobody) is None


@pytest.mark.concept("dynamodb.optimistic-locking")
def test_the_later_of_two_writers_fails_reads_again_and_loses_nothing(
    scores: Table, name: str
) -> None:
    key = {"user_id": name, "game_id": "chess"}
    scores.put({**key, "points": 100, "version": 1})

    def write(read: Item, points: int) -> None:
        scores.update(
            key,
            "SET points = :points, version = :next",
            {
                "points": read["points"] + points,
                "read": read["version"],
                "next": read["version"] + 1,
            },
            ConditionExpression="version = :read",
        )

    hers, his = scores.get(key), scores.get(key)
    assert hers
    assert hers == his
    write(hers, 10)
    with refused("ConditionalCheckFailedException"):
        write(his, 5)

    again = scores.get(key)
    assert again
    write(again, 5)
    assert scores.get(key) == {**key, "points": 115, "version": 3}


@pytest.mark.concept("dynamodb.optimistic-locking")
def test_points_added_at_the_same_time_are_all_there(
    scores: Table, add_points: Callable[..., dict[str, int]], name: str
) -> None:
    score = {"user_id": name, "game_id": "chess"}
    scores.key_of(score)
    with ThreadPoolExecutor(4) as writers:
        answers = list(writers.map(lambda _: add_points(**score, points=30), range(8)))

    assert sorted(answer["version"] for answer in answers) == list(range(1, 9))
    assert scores.get(score) == {
        **score,
        "points": 240,
        "tier": 3,
        "version": 8,
        "kind": "practice",
    }


@pytest.mark.concept("dynamodb.transactions")
def test_a_transaction_with_a_failing_check_does_nothing_at_all(users: Table, name: str) -> None:
    ada, nobody = {"user_id": f"{name}-ada"}, {"user_id": f"{name}-nobody"}
    users.key_of(ada)
    put = {"Put": {"TableName": users.name, "Item": described(ada)}}
    check = {
        "ConditionCheck": {
            "TableName": users.name,
            "Key": described(nobody),
            "ConditionExpression": "attribute_exists(user_id)",
        }
    }

    with refused("TransactionCanceledException") as cancelled:
        users.dynamodb.transact_write_items(TransactItems=[put, check])
    reasons = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert users.get(ada) is None


@pytest.mark.concept("dynamodb.transactions")
def test_a_transaction_writes_to_two_tables_at_twice_the_capacity(
    users: Table, seasons: Table, name: str
) -> None:
    user, season = {"user_id": name}, {"season": name}
    actions = [
        {"TableName": table.name, "Item": described(table.key_of(item))}
        for table, item in ((users, user), (seasons, season))
    ]
    answer = users.dynamodb.transact_write_items(
        TransactItems=[{"Put": action} for action in actions], ReturnConsumedCapacity="TOTAL"
    )
    assert [used["CapacityUnits"] for used in answer["ConsumedCapacity"]] == [2.0, 2.0]

    answer = users.dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": action["TableName"], "Key": action["Item"]}} for action in actions
        ]
    )
    assert [plain(found["Item"]) for found in answer["Responses"]] == [user, season]


# Indexes


@pytest.mark.concept("dynamodb.lsi")
def test_a_local_index_sorts_a_partition_by_another_key_and_can_be_read_consistently(
    scores: Table, name: str
) -> None:
    for game, points in (("chess", 30), ("darts", 10), ("go", 20)):
        scores.put({"user_id": name, "game_id": game, "points": points})

    by_points = scores.query(
        "user_id = :user", {"user": name}, IndexName="ByPoints", ConsistentRead=True
    )
    assert [score["game_id"] for score in by_points] == ["darts", "go", "chess"]


@pytest.mark.concept("dynamodb.lsi")
def test_a_table_that_exists_cannot_be_given_a_local_index(client: Client) -> None:
    update = client("dynamodb").meta.service_model.operation_model("UpdateTable").input_shape
    assert "GlobalSecondaryIndexUpdates" in update.members
    assert not [member for member in update.members if "Local" in member]


@pytest.mark.concept("dynamodb.gsi")
def test_a_global_index_finds_items_of_all_partitions_by_another_key(
    scores: Table, name: str, eventually: Eventually
) -> None:
    for user, points in (("ada", 30), ("bob", 10), ("cleo", 20)):
        scores.put({"user_id": user, "game_id": name, "points": points})

    def leaders() -> list[str]:
        found = scores.query(
            "game_id = :game", {"game": name}, IndexName="Leaderboard", ScanIndexForward=False
        )
        return [score["user_id"] for score in found]

    eventually(lambda: leaders() == ["ada", "cleo", "bob"])


@pytest.fixture(scope="module")
def added_index(
    client: Client, outputs: dict[str, str], eventually: Eventually
) -> Iterator[tuple[Table, list[str]]]:
    """The users, with a global index by city for a while, and the states it went through.

    Ada of Atlantis was there before it.
    """
    dynamodb = client("dynamodb")
    users = Table(dynamodb, outputs["UsersTableName"])
    users.put({"user_id": "ada of atlantis", "city": "Atlantis"})
    states: list[str] = []

    def state() -> str | None:
        table = dynamodb.describe_table(TableName=users.name)["Table"]
        indexes = {i["IndexName"]: i for i in table.get("GlobalSecondaryIndexes", [])}
        return indexes["ByCity"]["IndexStatus"] if "ByCity" in indexes else None

    def active() -> bool:
        states.append(str(state()))
        return states[-1] == "ACTIVE"

    def update(**action: Any) -> None:
        dynamodb.update_table(
            TableName=users.name,
            AttributeDefinitions=[
                {"AttributeName": "user_id", "AttributeType": "S"},
                {"AttributeName": "city", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexUpdates=[action],
        )

    update(
        Create={
            "IndexName": "ByCity",
            "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    )
    eventually(active, within=1800)
    yield users, states
    update(Delete={"IndexName": "ByCity"})
    eventually(lambda: state() is None, within=1800)
    users.close()


@pytest.mark.timeout(3600)
@pytest.mark.concept("dynamodb.gsi")
def test_a_global_index_added_later_holds_what_was_there_before(
    added_index: tuple[Table, list[str]],
) -> None:
    users, _ = added_index
    found = users.query("city = :city", {"city": "Atlantis"}, IndexName="ByCity")
    assert {"user_id": "ada of atlantis", "city": "Atlantis"} in found


@pytest.mark.aws_only
@pytest.mark.timeout(3600)
@pytest.mark.concept("dynamodb.gsi")
def test_a_global_index_is_filled_before_it_answers(
    added_index: tuple[Table, list[str]],
) -> None:
    _, states = added_index
    assert states[0] == "CREATING"


# Streams


@pytest.mark.concept("dynamodb.streams")
def test_the_stream_tells_of_each_change_in_order_with_the_item_before_and_after(
    scores: Table, changes: Callable[[Item], list[Item]], name: str, eventually: Eventually
) -> None:
    key = {"user_id": name, "game_id": "chess"}
    first, second = ({**key, "kind": "ranked", "points": points} for points in (10, 20))
    scores.put(first)
    scores.update(key, "SET points = :points", {"points": 20})
    scores.delete(key)

    eventually(lambda: len(changes(key)) == 3, within=90)
    told = [(c["event"], c.get("before"), c.get("after")) for c in changes(key)]
    assert told == [
        ("INSERT", None, first),
        ("MODIFY", first, second),
        ("REMOVE", second, None),
    ]


@pytest.mark.concept("dynamodb.streams")
def test_practice_is_filtered_out_before_the_function_is_called(
    add_points: Callable[..., dict[str, int]],
    scores: Table,
    changes: Callable[[Item], list[Item]],
    name: str,
    eventually: Eventually,
) -> None:
    # Of one user, so of one shard: when the later change has been told, so has the earlier.
    practice = {"user_id": name, "game_id": "practice"}
    ranked = {"user_id": name, "game_id": "ranked"}
    for score in (practice, ranked):
        add_points(**scores.key_of(score), points=10, kind=score["game_id"])

    eventually(lambda: changes(ranked), within=90)
    assert changes(practice) == []


@pytest.mark.aws_only
@pytest.mark.timeout(600)
@pytest.mark.concept("dynamodb.streams")
def test_a_change_too_big_to_record_is_set_aside_and_holds_up_no_other(
    client: Client,
    outputs: dict[str, str],
    scores: Table,
    changes: Callable[[Item], list[Item]],
    name: str,
    eventually: Eventually,
) -> None:
    big, small = ({"user_id": name, "game_id": game, "kind": "ranked"} for game in ("big", "small"))
    for letter in "xy":  # before and after together are more than an item may have
        scores.put({**big, "replay": letter * 300 * KIBIBYTE})
    scores.put(small)

    eventually(lambda: changes(small), within=300)
    assert [change["event"] for change in changes(big)] == ["INSERT"]

    sqs, queue = client("sqs"), outputs["UnrecordedUrl"]
    [message] = eventually(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages"), within=60
    )
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert json.loads(message["Body"])["requestContext"]["condition"] == "RetryAttemptsExhausted"


# Time to live: last, because on AWS it may take its time


@pytest.mark.concept("dynamodb.ttl")
def test_an_expired_item_stays_a_while_so_readers_leave_it_out(scores: Table, name: str) -> None:
    settings = scores.dynamodb.describe_time_to_live(TableName=scores.name)
    assert settings["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires_at",
    }
    now = int(time.time())
    expired, current = (
        {"user_id": name, "game_id": game, "expires_at": moment}
        for game, moment in (("chess", now - 60), ("go", now + 3600))
    )
    for score in (expired, current):
        scores.put(score)

    def read(**options: Any) -> list[Item]:
        return scores.query("user_id = :user", {"user": name}, ConsistentRead=True, **options)

    assert read() == [expired, current]
    filtered = scores.query(
        "user_id = :user",
        {"user": name, "now": now},
        FilterExpression="expires_at > :now",
        ConsistentRead=True,
    )
    assert filtered == [current]


@pytest.fixture(scope="module")
def expired(client: Client, outputs: dict[str, str]) -> Iterator[tuple[Table, Item]]:
    """The scores, and the key of a ranked one that has expired."""
    scores = Table(client("dynamodb"), outputs["ScoresTableName"])
    key = {"user_id": f"expired-{uuid.uuid4().hex[:8]}", "game_id": "chess"}
    scores.put({**key, "kind": "ranked", "expires_at": int(time.time()) - 60})
    yield scores, key
    scores.close()


@pytest.mark.timeout(2 * TTL_PATIENCE_S["aws"])
@pytest.mark.concept("dynamodb.ttl")
def test_an_expired_item_is_removed_in_the_end(
    expired: tuple[Table, Item], wait: Wait, eventually: Eventually, target: str
) -> None:
    scores, key = expired
    wait(65)  # DynamoDB looks for expired items now and then, the emulator once a minute
    eventually(lambda: scores.get(key) is None, within=TTL_PATIENCE_S[target])


@pytest.mark.aws_only
@pytest.mark.timeout(2 * TTL_PATIENCE_S["aws"])
@pytest.mark.concept("dynamodb.ttl", "dynamodb.streams")
def test_the_stream_names_dynamodb_as_the_one_who_removed_it(
    expired: tuple[Table, Item],
    changes: Callable[[Item], list[Item]],
    eventually: Eventually,
    target: str,
) -> None:
    _, key = expired
    eventually(lambda: len(changes(key)) == 2, within=TTL_PATIENCE_S[target])
    removal = changes(key)[-1]
    assert (removal["event"], removal["by"]) == ("REMOVE", "dynamodb.amazonaws.com")
