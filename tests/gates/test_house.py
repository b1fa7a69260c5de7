"""Folders, app, README and tests speak of the same blueprints, and each is furnished alike."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.assembly import Assembly
from tests.gates.findings import refuse
from tests.gates.folders import ROOT, STACKS, TESTS, blueprint_of, folder_of, folders
from tests.gates.house import (
    README,
    index,
    index_findings,
    purpose,
    replace_index,
)

HEADINGS = ["See it work", "What the notes say, and what is true", "Cost", "Lift it out"]
FURNITURE = ("__init__.py", "stack.py", "exercise.py", "README.md")
# Tests of what is no blueprint.
OTHER_TESTS = {"gates", "patterns", "rehearsal"}
LONGEST_PURPOSE = 95
SHARED_LAYERS = ROOT / "constructs" / "patterns" / "layers"
# What every function has; boto3 brings botocore.
IN_THE_RUNTIME = {*sys.stdlib_module_names, "boto3", "botocore"}


def furniture(stacks: Path, tests: Path) -> Iterator[str]:
    """What a folder lacks that every other has."""
    for folder in sorted(path.parent.name for path in stacks.glob("*/__init__.py")):
        for name in FURNITURE:
            if not (stacks / folder / name).exists():
                yield f"stacks/{folder}: has no {name}"
        if not (tests / folder / "test_stack.py").exists():
            yield f"tests/{folder}: has no test_stack.py"
        for handler in sorted(p for p in (stacks / folder / "handlers").glob("*/") if p.is_dir()):
            yield from _handler(folder, handler, tests / folder)


def page_findings(blueprint: str, page: str) -> Iterator[str]:
    """Where a page differs from the others."""
    where = f"stacks/{folder_of(blueprint)}/README.md"
    if not page.startswith(f"# {blueprint}\n"):
        yield f"{where}: begin with '# {blueprint}'"
    if (headings := re.findall(r"^## (.+)$", page, re.MULTILINE)) != HEADINGS:
        yield f"{where}: has the headings {headings}; every page has {HEADINGS}"


def purpose_findings(blueprint: str, source: str) -> Iterator[str]:
    """A stack that does not say in a line what it shows."""
    shows = purpose(source)
    if not 0 < len(shows) <= LONGEST_PURPOSE:
        yield (
            f"stacks/{folder_of(blueprint)}/stack.py: the first line of the stack's docstring is "
            f"its row in the README; give it one of at most {LONGEST_PURPOSE} characters"
        )


def import_findings(stacks: Path, shared_layers: Path) -> Iterator[str]:
    """Handlers that import what Lambda does not have; import-linter sees none of them."""
    for source in sorted(stacks.glob("*/handlers/*/**/*.py")):
        blueprint, _, handler, *_ = source.relative_to(stacks).parts
        layers = [shared_layers, stacks / blueprint / "layers"]
        folders = [stacks / blueprint / "handlers" / handler]
        folders += [folder for each in layers for folder in each.glob("*/python")]
        found = {path.stem for folder in folders for path in folder.iterdir()}
        for module in sorted(_imported(source.read_text()) - found - IN_THE_RUNTIME):
            yield (
                f"stacks/{source.relative_to(stacks)}: imports {module}, which Lambda does not "
                f"have; use the standard library and boto3, or put it into a layer"
            )


def _imported(source: str) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # A handler's folder is no package, so it has nothing to import relatively.
            names.append("." * node.level + (node.module or ""))
    return {name if name.startswith(".") else name.partition(".")[0] for name in names}


def name_findings(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Stacks whose CloudFormation name is not the prefix and their id."""
    for stack, artifact in manifest["artifacts"].items():
        name = artifact.get("properties", {}).get("stackName", stack)
        if artifact["type"] == "aws:cloudformation:stack" and name != f"blueprints-{stack}":
            yield f"{stack}: is named '{name}' in CloudFormation; name it '<prefix>-{stack}'"


def _handler(folder: str, handler: Path, tests: Path) -> Iterator[str]:
    if handler.name == "__pycache__":
        return
    if not (handler / "index.py").exists():
        yield f"stacks/{folder}/handlers/{handler.name}: has no index.py"
    sources = [path.read_text() for path in tests.glob("test_*.py")]
    if not any(re.search(rf"\bhandlers\.{handler.name}\b", source) for source in sources):
        yield (
            f"tests/{folder}: nothing tests handlers/{handler.name}; "
            f"write test_{handler.name}.py, which calls it"
        )


def test_every_folder_is_furnished_alike() -> None:
    refuse(furniture(STACKS, TESTS))
    for folder in folders():
        page, stack = STACKS / folder / "README.md", STACKS / folder / "stack.py"
        refuse(page_findings(blueprint_of(folder), page.read_text() if page.exists() else ""))
        refuse(purpose_findings(blueprint_of(folder), stack.read_text()))


def test_the_app_composes_every_folder_and_nothing_else(assembly: Assembly) -> None:
    stacks = {
        name
        for name, artifact in assembly.manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }

    assert stacks == {blueprint_of(folder) for folder in folders()}
    refuse(name_findings(assembly.manifest))


def test_the_readme_lists_every_folder() -> None:
    refuse(index_findings(README.read_text(), index()))


def test_every_folder_of_tests_belongs_to_a_blueprint() -> None:
    assert {path.parent.name for path in TESTS.glob("*/*.py")} <= {*folders(), *OTHER_TESTS}


def test_handlers_import_what_lambda_has() -> None:
    refuse(import_findings(STACKS, SHARED_LAYERS))


def test_the_source_root_of_patterns_is_no_package() -> None:
    assert not (ROOT / "constructs" / "__init__.py").exists(), (
        "constructs/__init__.py shadows the package constructs that aws_cdk imports; delete it"
    )


def test_a_missing_piece_of_furniture_is_found(tmp_path: Path) -> None:
    stacks, tests = tmp_path / "stacks", tmp_path / "tests"
    for name in ("__init__.py", "stack.py", "exercise.py", "handlers/tested/index.py"):
        (stacks / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (stacks / "shop" / name).touch()
    (stacks / "shop" / "handlers" / "forgotten").mkdir()
    (tests / "shop").mkdir(parents=True)
    (tests / "shop" / "test_tested.py").write_text("from stacks.shop.handlers.tested import index")

    assert list(furniture(stacks, tests)) == [
        "stacks/shop: has no README.md",
        "tests/shop: has no test_stack.py",
        "stacks/shop/handlers/forgotten: has no index.py",
        "tests/shop: nothing tests handlers/forgotten; write test_forgotten.py, which calls it",
    ]


def test_an_import_of_what_lambda_does_not_have_is_found(tmp_path: Path) -> None:
    stacks, shared = tmp_path / "stacks", tmp_path / "layers"
    for module in (
        shared / "client" / "python" / "client" / "__init__.py",
        stacks / "shop" / "layers" / "own" / "python" / "own.py",
        stacks / "bank" / "layers" / "other" / "python" / "other.py",
        stacks / "shop" / "handlers" / "sell" / "beside.py",
        stacks / "shop" / "handlers" / "buy" / "elsewhere.py",
    ):
        module.parent.mkdir(parents=True)
        module.touch()
    (stacks / "shop" / "handlers" / "sell" / "index.py").write_text(
        "import os.path, boto3, own, beside\nfrom botocore.config import Config\n"
        "from client.native import connect\n"
        "import aws_cdk as cdk\nimport other\nfrom . import neighbour\n"
        "def handler(event, context):\n    from elsewhere import all_of_it\n"
    )

    assert [finding.partition(", which")[0] for finding in import_findings(stacks, shared)] == [
        f"stacks/shop/handlers/sell/index.py: imports {module}"
        for module in (".", "aws_cdk", "elsewhere", "other")
    ]


def test_a_page_with_other_headings_is_found() -> None:
    page = "# Shop\n\n## See it work\n\n## Price\n"

    assert list(page_findings("shop", page)) == [
        "stacks/shop/README.md: begin with '# shop'",
        f"stacks/shop/README.md: has the headings ['See it work', 'Price']; every page has "
        f"{HEADINGS}",
    ]


@pytest.mark.parametrize("docstring", ["", f'    """{"x" * 96}"""'])
def test_a_stack_that_does_not_say_what_it_shows_is_found(docstring: str) -> None:
    source = f"class ShopStack(cdk.Stack):\n{docstring}\n    pass"

    assert list(purpose_findings("step-shop", source)) == [
        "stacks/step_shop/stack.py: the first line of the stack's docstring is its row in the "
        "README; give it one of at most 95 characters"
    ]
    said = source.replace(docstring, '    """Sells."""') if docstring else ""
    assert not said or not list(purpose_findings("step-shop", said))


def test_a_stack_of_another_name_is_found() -> None:
    stack = {"type": "aws:cloudformation:stack", "properties": {"stackName": "Shop"}}
    good = {"type": "aws:cloudformation:stack", "properties": {"stackName": "blueprints-sqs"}}
    manifest = {"artifacts": {"shop": stack, "sqs": good, "Tree": {"type": "cdk:tree"}}}

    assert list(name_findings(manifest)) == [
        "shop: is named 'Shop' in CloudFormation; name it '<prefix>-shop'"
    ]


def test_an_index_that_is_out_of_date_is_found_and_can_be_written() -> None:
    page = "A\n<!-- blueprints -->\n| old |\n| same |\n<!-- /blueprints -->\nZ\n"
    table = "| same |\n| new |\n"

    assert list(index_findings(page, table)) == [
        "README.md: the index has no row '| new |'; run make index",
        "README.md: the index has an old row '| old |'; run make index",
    ]
    written = replace_index(page, table)
    assert written == f"A\n<!-- blueprints -->\n{table}<!-- /blueprints -->\nZ\n"
    assert not list(index_findings(written, table))


def test_a_readme_without_a_place_for_the_index_is_said_so() -> None:
    with pytest.raises(ValueError, match="has no place for the index; add the lines"):
        replace_index("# Nothing\n", "")
