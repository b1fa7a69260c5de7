"""What the command line says to those who ask for what there is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import preflight
from rehearsal.blueprints import blueprint_id, choose_blueprints
from rehearsal.cdk import synth_error
from rehearsal.commands import main
from rehearsal.environment import ROOT
from rehearsal.errors import RehearsalError


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    for name in ("sqs", "ecs_fargate", "lambda_", "no_blueprint"):
        (tmp_path / name).mkdir()
        if name != "no_blueprint":
            (tmp_path / name / "stack.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "blueprint"),
    [("sqs", "sqs"), ("ecs_fargate", "ecs-fargate"), ("lambda_", "lambda")],
)
def test_a_blueprint_is_named_after_its_folder(folder: str, blueprint: str) -> None:
    assert blueprint_id(Path("stacks", folder)) == blueprint


def test_blueprints_are_taken_in_the_order_asked_and_once(stacks: Path) -> None:
    assert list(choose_blueprints(["sqs", "lambda", "sqs"], stacks)) == ["sqs", "lambda"]


@pytest.mark.parametrize("asked", [[], ["all"], ["sqs", "all"]])
def test_all_is_every_folder_with_a_stack(asked: list[str], stacks: Path) -> None:
    assert choose_blueprints(asked, stacks) == {
        "ecs-fargate": stacks / "ecs_fargate",
        "lambda": stacks / "lambda_",
        "sqs": stacks / "sqs",
    }


def test_an_unknown_blueprint_is_answered_with_the_nearest(stacks: Path) -> None:
    with pytest.raises(RehearsalError) as refusal:
        choose_blueprints(["ecs-fargat"], stacks)
    assert str(refusal.value) == (
        "unknown blueprint 'ecs-fargat' (did you mean 'ecs-fargate'?); "
        "there are: ecs-fargate, lambda, sqs, or all"
    )


def test_what_the_app_says_of_a_setting_is_all_that_is_shown() -> None:
    output = (
        "blueprints: unknown profile 'prod'; choose sandbox or production\n"
        "python app.py: Subprocess exited with error 1\n"
    )
    assert str(synth_error(output)) == "unknown profile 'prod'; choose sandbox or production"


def test_an_app_that_breaks_shows_its_traceback() -> None:
    output = 'Traceback (most recent call last):\n  File "app.py"\nKeyError: 1\n'
    assert str(synth_error(output)) == (
        'cdk synth failed:\n  Traceback (most recent call last):\n    File "app.py"\n  KeyError: 1'
    )


def test_an_old_python_is_named() -> None:
    assert preflight.wrong_python((3, 11)) == ""
    assert preflight.wrong_python((3, 10)).startswith("Python 3.10 is too old; install")


def test_missing_tools_are_named(tmp_path: Path) -> None:
    here, nowhere = Path(sys.executable), tmp_path / "nowhere"
    assert f"no cdk.json in {tmp_path}" in preflight.missing_tools(tmp_path, here, here)
    (tmp_path / "cdk.json").touch()
    assert preflight.missing_tools(tmp_path, here, here) == ""
    assert "CDK CLI is not installed" in preflight.missing_tools(tmp_path, nowhere, here)
    assert "Node.js is not installed" in preflight.missing_tools(tmp_path, here, nowhere)


def test_a_full_disk_is_told_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preflight.full_disk(tmp_path) == ""
    monkeypatch.setattr(preflight, "DISK_MB", 10**9)
    assert f"MB are free in {tmp_path}; free 1000000000 MB" in preflight.full_disk(tmp_path)


def test_a_setting_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["rehearse", "sqs", "-c", "profile"])
    assert exit_.value.code == 2
    assert "'profile' is no setting; give KEY=VALUE" in capsys.readouterr().err


def test_a_wrong_name_ends_the_command_in_one_line(
    stacks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "cdk.json").touch()
    monkeypatch.chdir(stacks)
    assert main(["rehearse", "sqs"]) == 1
    assert capsys.readouterr().err == (
        f"rehearsal: there is no blueprint in {stacks / 'stacks'} (a folder with a stack.py)\n"
    )


@pytest.mark.parametrize("command", ["deploy", "destroy", "exercise"])
def test_nothing_is_done_on_aws_to_blueprints_that_were_not_named(
    command: str, stacks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "cdk.json").touch()
    monkeypatch.chdir(stacks)
    assert main([command]) == 1
    assert capsys.readouterr().err == (
        "rehearsal: no blueprint is named; "
        f"say which one, as in `make {command} BLUEPRINT=sqs`, or all\n"
    )


def test_a_missing_package_is_named_with_what_to_do() -> None:
    ran = subprocess.run(
        # -S: without the installed packages.
        [sys.executable, "-S", "-m", "rehearsal", "rehearse", "sqs"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == "rehearsal: boto3 is not installed; run `make setup`\n"
