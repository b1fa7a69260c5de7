"""``python -m rehearsal rehearse``, from the first line to the table."""

import re
from collections.abc import Iterator

import pytest

from tests.rehearsal.conftest import Project

QUEUE = {"Resources": {"Orders": {"Type": "AWS::SQS::Queue"}}}
# No listing tells whether a key is gone: deleted ones stay listed for a week and more.
QUEUE_AND_KEY = {"Resources": {**QUEUE["Resources"], "Key": {"Type": "AWS::KMS::Key"}}}
RECORDED = {
    "Resources": {
        "Orders": {"Type": "AWS::SQS::Queue"},
        "Users": {
            "Type": "AWS::MemoryDB::SubnetGroup",
            "Properties": {"SubnetGroupName": "users", "SubnetIds": ["subnet-1"]},
        },
    },
    "Outputs": {"Orders": {"Value": {"Ref": "Orders"}}},
}
REFUSED = {
    "Resources": {
        "Orders": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 999999}}
    }
}


def cells(output: str, stack: str) -> list[str]:
    """The table's row of a stack, without its seconds, which vary."""
    row = next(line for line in output.splitlines() if re.match(rf"{stack} +\d", line))
    return re.split(r"  +", row)[:-1]


def test_a_good_blueprint_ends_with_its_row_and_nothing_left(project: Project) -> None:
    project.compose(good=RECORDED)
    project.exercise(
        "good",
        """
        import os
        import pytest

        def test_an_order_is_kept(client, outputs):
            client("sqs").send_message(QueueUrl=outputs["Orders"], MessageBody="1")

        def test_the_user_s_account_is_out_of_reach():
            aws = {key for key in os.environ if key.startswith("AWS_")}
            assert os.environ["AWS_ACCESS_KEY_ID"] == "111111111111"
            assert aws.isdisjoint({"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"})
            assert not os.path.exists(os.path.expanduser("~/.aws"))

        @pytest.mark.aws_only
        def test_only_aws_can_show_this():
            assert False
        """,
    )
    (project.directory / ".aws").mkdir()
    users_own = {
        "HOME": str(project.directory),
        "AWS_ACCESS_KEY_ID": "AKIAUSERSOWN",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "own",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    status, output = project.run("rehearse", "good", **users_own)

    assert status == 0, output
    assert output.count("passed: an order is kept\n") == 1
    assert cells(output, "good") == ["good", "1", "1", "2 passed, 1 AWS only"]
    assert "good: only recorded, nothing behind them works: AWS::MemoryDB::SubnetGroup" in output
    assert "nothing is left in the account" in output
    assert project.survivors() == []


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, int, str]]:
    """A rehearsal of three blueprints, two of them with troubles."""
    project = Project(tmp_path_factory.mktemp("troubled"))
    project.compose(litters=QUEUE_AND_KEY, refused=REFUSED, works=QUEUE)
    project.exercise(
        "litters",
        """
        def test_it_litters(client):
            client("sqs").create_queue(QueueName="litter")
            assert "this" == "that"
        """,
    )
    project.exercise("refused", "def test_it_is_never_run(): pass")
    project.exercise("works", "def test_it_works(): pass")
    try:
        yield project, *project.run("rehearse", "all")
    finally:
        project.stop()


def test_any_trouble_is_in_the_exit_status(troubled: tuple[Project, int, str]) -> None:
    assert troubled[1] == 1


def test_a_failing_exercise_is_shown_as_pytest_shows_it(troubled: tuple[Project, int, str]) -> None:
    output = troubled[2]
    assert cells(output, "litters") == ["litters", "2", "0", "1 failed"]
    assert "AssertionError: assert 'this' == 'that'" in output


def test_what_is_left_after_destroy_is_named(troubled: tuple[Project, int, str]) -> None:
    output = troubled[2]
    assert re.search(r"left after cdk destroy:\n +AWS::SQS::Queue \S+/litter\n", output)
    assert "nothing is left in the account" not in output


def test_what_nobody_looked_for_after_destroy_is_named(troubled: tuple[Project, int, str]) -> None:
    assert re.search(
        r"nobody looked whether resources of these types are gone:\n +AWS::KMS::Key\n", troubled[2]
    )


def test_a_refused_resource_is_named_with_the_reason(troubled: tuple[Project, int, str]) -> None:
    project, _, output = troubled
    assert cells(output, "refused") == ["refused", "0", "0", "ROLLBACK_COMPLETE"]
    assert re.search(
        r"stack tiny-refused: AWS::SQS::Queue Orders \(CREATE_FAILED\): .*VisibilityTimeout", output
    )
    log = project.directory / ".rehearsal" / "cdk-deploy.log"
    assert "CREATE_FAILED" in log.read_text()


def test_one_blueprint_s_trouble_does_not_stop_another(troubled: tuple[Project, int, str]) -> None:
    assert cells(troubled[2], "works") == ["works", "1", "0", "1 passed"]
