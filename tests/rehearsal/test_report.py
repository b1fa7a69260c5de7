"""The table, and what it must not leave out."""

import pytest

from rehearsal.exercises import Tally
from rehearsal.inventory import unlisted
from rehearsal.keeper import groups_left
from rehearsal.report import Row, table, tier_of

TIERS = {"AWS::SQS::Queue": "emulated", "AWS::MemoryDB::Cluster": "recorded"}


def test_the_table_shows_each_stack_and_names_what_is_only_recorded() -> None:
    rows = [
        Row("sqs", {"emulated": ["AWS::SQS::Queue"] * 12}, "3 passed", 4.04),
        Row("memorydb", {"recorded": ["AWS::MemoryDB::Cluster"] * 2}, "1 failed, 2 AWS only", 10),
    ]
    assert table(rows).splitlines() == [
        "stack     emulated  recorded  exercise              seconds",
        "--------  --------  --------  --------------------  -------",
        "sqs             12         0  3 passed                  4.0",
        "memorydb         0         2  1 failed, 2 AWS only     10.0",
        "memorydb: only recorded, nothing behind them works: AWS::MemoryDB::Cluster",
    ]


def test_rare_tiers_have_a_column_only_where_they_occur() -> None:
    rows = [Row("s3", {"custom": ["Custom::S3AutoDeleteObjects"]}), Row("sqs")]
    assert table(rows).splitlines()[0].split() == [
        *("stack", "emulated", "recorded", "custom", "exercise", "seconds")
    ]
    assert table(rows).splitlines()[2].split() == ["s3", "0", "0", "1", "-", "0.0"]


@pytest.mark.parametrize(
    ("resource_type", "tier"),
    [
        ("AWS::SQS::Queue", "emulated"),
        ("AWS::MemoryDB::Cluster", "recorded"),
        ("Custom::S3AutoDeleteObjects", "custom"),
        ("AWS::CloudFormation::CustomResource", "custom"),
        ("AWS::New::Thing", "unknown"),
    ],
)
def test_a_type_nobody_knows_is_not_called_emulated(resource_type: str, tier: str) -> None:
    assert tier_of(resource_type, TIERS) == tier


@pytest.mark.parametrize("unseen", ["skipped", "xfailed", "xpassed"])
def test_an_exercise_that_skips_is_no_success(unseen: str) -> None:
    assert Tally({"passed": 12, "aws_only": 2}, passed=True).succeeded
    assert not Tally({"passed": 12, unseen: 1}, passed=True).succeeded
    assert not Tally({"passed": 12}, passed=False).succeeded


def test_tests_left_out_and_skipped_are_not_counted_as_passed() -> None:
    tally = Tally({"passed": 12, "failed": 0, "skipped": 1, "aws_only": 2}, passed=True)
    assert str(tally) == "12 passed, 1 skipped, 2 AWS only"
    assert str(Tally({}, passed=False)) == "nothing ran"


def test_a_type_that_no_inventory_lists_is_named() -> None:
    assert unlisted(["AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::New::Thing"]) == [
        "AWS::New::Thing"
    ]


def test_the_keeper_forgets_what_has_ended() -> None:
    assert groups_left(["+12\n", "+7\n", "-12\n"]) == {7}
