"""Every change of a template is seen in a snapshot, and nothing but changes of code is hidden."""

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.assembly import Assembly
from tests.conftest import TemplateSnapshot
from tests.gates.findings import refuse
from tests.gates.folders import TESTS, folder_of, folders

PROFILES = ("sandbox", "production")


def snapshot_findings(tests: Path, expected: Iterable[str]) -> Iterator[str]:
    """Blueprints without a snapshot, and snapshots without a blueprint.

    Args:
        tests: The folder of all tests.
        expected: The folders of the blueprints.
    """
    wanted = {
        tests / folder / "__snapshots__" / "test_stack" / f"test_snapshot[{profile}].json"
        for folder in expected
        for profile in PROFILES
    }
    there = {path for path in tests.glob("*/__snapshots__/**/*") if path.is_file()}
    for path in sorted(wanted - there):
        yield f"{path.relative_to(tests.parent)}: is missing; run make snapshots and read it"
    for path in sorted(there - wanted):
        yield f"{path.relative_to(tests.parent)}: is the snapshot of nothing; delete it"
    for folder in expected:
        test = tests / folder / "test_stack.py"
        if "def test_snapshot(" not in (test.read_text() if test.exists() else ""):
            yield f"{test.relative_to(tests.parent)}: has no test_snapshot; copy it from tests/sqs"


def serialized(template: dict[str, Any]) -> str:
    return TemplateSnapshot().serialize(template)


def changed_once(value: Any) -> Iterator[Any]:
    """Every copy of ``value`` with one leaf, one key or one item of it changed."""
    match value:
        case dict():
            for key, inner in value.items():
                yield {(f"{name}x" if name == key else name): it for name, it in value.items()}
                yield from ({**value, key: changed} for changed in changed_once(inner))
        case list():
            for number, inner in enumerate(value):
                yield value[:number] + value[number + 1 :]
                for changed in changed_once(inner):
                    yield [*value[:number], changed, *value[number + 1 :]]
        case bool():
            yield not value
        case str():
            yield f"{value}x"
        case _:
            yield value + 1


def test_every_stack_has_a_snapshot_of_both_profiles() -> None:
    refuse(snapshot_findings(TESTS, folders()))


def test_every_stack_of_the_app_has_its_folder(assembly: Assembly) -> None:
    assert {folder_of(stack.partition(".")[0]) for stack in assembly.stacks} <= set(folders())


def test_every_change_of_a_template_is_seen(sandbox: Assembly) -> None:
    template = {key: sandbox.stacks["sqs"].body[key] for key in ("Resources", "Outputs")}
    before = serialized(template)

    unseen = [changed for changed in changed_once(template) if serialized(changed) == before]

    assert not unseen


def test_a_parameter_and_a_rule_of_ones_own_are_seen() -> None:
    bootstrap: dict[str, dict[str, Any]] = {
        "Parameters": {"BootstrapVersion": {"Type": "String"}},
        "Rules": {"CheckBootstrapVersion": {"Assertions": []}},
    }
    own = copy.deepcopy(bootstrap)
    own["Parameters"]["Size"] = {"Type": "Number"}
    own["Rules"]["SizeFits"] = {"Assertions": []}

    assert json.loads(serialized(bootstrap)) == {"Parameters": {}}
    assert json.loads(serialized(own)) == {
        "Parameters": {"Size": {"Type": "Number"}},
        "Rules": {"SizeFits": {"Assertions": []}},
    }


def test_changed_code_is_not_seen() -> None:
    def template(code: str) -> dict[str, Any]:
        version = f"GreetCurrentVersion0A1B2C3D{code * 32}"
        return {
            "Resources": {
                "Greet": {"Properties": {"Code": {"S3Key": f"{code * 64}.zip"}}},
                version: {"Type": "AWS::Lambda::Version"},
                "Live": {"Properties": {"FunctionVersion": {"Fn::GetAtt": [version, "Version"]}}},
            }
        }

    assert serialized(template("a")) == serialized(template("b"))
    assert "GreetCurrentVersion0A1B2C3D<code>" in serialized(template("a"))


def test_missing_and_orphaned_snapshots_are_found(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    for path in (
        "shop/__snapshots__/test_stack/test_snapshot[sandbox].json",
        "shop/__snapshots__/test_stack/test_old.json",
        "gone/__snapshots__/test_stack/test_snapshot[sandbox].json",
        "shop/test_stack.py",
    ):
        (tests / path).parent.mkdir(parents=True, exist_ok=True)
        (tests / path).touch()

    assert list(snapshot_findings(tests, ["shop"])) == [
        "tests/shop/__snapshots__/test_stack/test_snapshot[production].json: is missing; "
        "run make snapshots and read it",
        "tests/gone/__snapshots__/test_stack/test_snapshot[sandbox].json: "
        "is the snapshot of nothing; delete it",
        "tests/shop/__snapshots__/test_stack/test_old.json: is the snapshot of nothing; delete it",
        "tests/shop/test_stack.py: has no test_snapshot; copy it from tests/sqs",
    ]
