import os
from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.dynamodb.handlers.add_points import index
from stacks.dynamodb.handlers.add_points.index import Score

EVENT = {"user_id": "ada", "game_id": "chess", "points": 60, "kind": "ranked"}
KEY = {"user_id": {"S": "ada"}, "game_id": {"S": "chess"}}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Answers the calls in this order, and fails those that differ in anything."""
    client = boto3.client("dynamodb", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(index, "dynamodb", client)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("TABLE_NAME", "scores")
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def read(dynamodb: Stubber, score: Score | None) -> None:
    """Expect that the score is read, the latest there is."""
    item = {} if score is None else {k: {"N": str(v)} for k, v in score._asdict().items()}
    dynamodb.add_response(
        "get_item",
        {"Item": {**KEY, **item}} if item else {},
        {"TableName": "scores", "Key": KEY, "ConsistentRead": True},
    )


def write(dynamodb: Stubber, score: Score, *, lost: bool = False) -> None:
    """Expect that the score is written, on condition that the one before is still there."""
    parameters = {
        "TableName": "scores",
        "Key": KEY,
        "UpdateExpression": "SET points = :points, tier = :tier, version = :version, kind = :kind",
        "ConditionExpression": (
            "version = :read OR (:read = :never AND attribute_not_exists(version))"
        ),
        "ExpressionAttributeValues": {
            ":points": {"N": str(score.points)},
            ":tier": {"N": str(score.tier)},
            ":version": {"N": str(score.version)},
            ":kind": {"S": "ranked"},
            ":read": {"N": str(score.version - 1)},
            ":never": {"N": "0"},
        },
    }
    if lost:
        dynamodb.add_client_error(
            "update_item", "ConditionalCheckFailedException", expected_params=parameters
        )
    else:
        dynamodb.add_response("update_item", {}, parameters)


def test_the_first_points_make_the_first_version(dynamodb: Stubber) -> None:
    read(dynamodb, None)
    write(dynamodb, Score(points=60, tier=1, version=1))

    answer = index.handler(EVENT, None)
    assert answer == {"points": 60, "tier": 1, "version": 1, "attempts": 1}


def test_who_loses_reads_again_and_adds_to_what_the_winner_wrote(dynamodb: Stubber) -> None:
    read(dynamodb, Score(points=60, tier=1, version=1))
    write(dynamodb, Score(points=120, tier=2, version=2), lost=True)
    read(dynamodb, Score(points=90, tier=1, version=2))
    write(dynamodb, Score(points=150, tier=2, version=3))

    answer = index.handler(EVENT, None)
    assert answer == {"points": 150, "tier": 2, "version": 3, "attempts": 2}


def test_who_always_loses_gives_up(dynamodb: Stubber) -> None:
    for version in range(1, index.ATTEMPTS + 1):
        read(dynamodb, Score(points=0, version=version))
        write(dynamodb, Score(points=60, version=version + 1), lost=True)

    with pytest.raises(index.ContentionError, match="try again later"):
        index.handler(EVENT, None)


def test_another_failure_is_not_taken_for_a_lost_race(dynamodb: Stubber) -> None:
    read(dynamodb, None)
    dynamodb.add_client_error("update_item", "ResourceNotFoundException")

    with pytest.raises(index.dynamodb.exceptions.ResourceNotFoundException):
        index.handler(EVENT, None)


@pytest.mark.parametrize(("points", "tier"), [(99, 1), (100, 2), (250, 3)])
def test_every_hundred_points_are_a_tier(points: int, tier: int) -> None:
    assert index.advanced(Score(), points).tier == tier
