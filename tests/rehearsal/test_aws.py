"""``deploy``, ``exercise`` and ``destroy``, with the emulator in the place of AWS."""

import pytest

from rehearsal.environment import ACCOUNT, REGION
from tests.rehearsal.conftest import Cloud, Project

QUEUE = {
    "Resources": {"Orders": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Orders", "QueueName"]}}},
}


def test_deploy_and_exercise_act_in_the_account_of_the_credentials(
    cloud: Cloud, project: Project
) -> None:
    project.compose(orders=QUEUE)
    project.exercise(
        "orders",
        """
        import pytest

        @pytest.mark.aws_only
        def test_it_is_there(outputs, target, pytestconfig):
            assert (outputs["Name"].startswith("tiny-orders"), target) == (True, "aws")
            assert float(pytestconfig.getini("timeout")) > 3600, "some things take an hour"
        """,
    )
    account = {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.emulator.endpoint,
        "HOME": str(project.directory),
    }
    status, output = project.run("deploy", "orders", **account)
    assert status == 0, output
    assert f"deploy orders: account {ACCOUNT}, {REGION}\n" in output

    status, output = project.run("exercise", "orders", "-c", "prefix=tiny", **account)
    assert status == 0, output
    assert "test_it_is_there PASSED" in output

    cloud.delete("tiny-orders")
    status, output = project.run("exercise", "orders", "-c", "prefix=tiny", **account)
    assert status == 1
    assert "stack tiny-orders cannot be exercised" in output


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        (
            {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION},
            "no working AWS credentials (Unable to locate credentials); log in",
        ),
        ({}, "no AWS region is set; set AWS_REGION"),
        (
            {"AWS_REGION": REGION, "AWS_PROFILE": "missing"},
            "no working AWS credentials (The config profile (missing) could not be found)",
        ),
    ],
)
def test_what_is_missing_to_reach_aws_is_told_in_one_line(
    environment: dict[str, str], complaint: str, project: Project
) -> None:
    project.compose(orders=QUEUE)
    status, output = project.run("deploy", "orders", **environment)

    assert status == 1
    assert output.startswith(f"rehearsal: {complaint}")
    assert output.count("\n") == 1
