"""The README's index of blueprints, made of what they say of themselves.

`python -m tests.gates.house` writes it.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence

from tests.gates.folders import ROOT, STACKS, blueprint_of, folder_of, folders
from tests.gates.proofs import catalogue

README = ROOT / "README.md"
INDEX = re.compile(r"(?<=<!-- blueprints -->\n).*?(?=<!-- /blueprints -->)", re.DOTALL)
IDLE = re.compile(r"Idle: (\$\d+\.\d{4}) per hour in\s`sandbox`")


def index() -> str:
    """The table: a row for every folder, under the heading it has in the notes."""
    rows = list(_by_area(folders()))
    return "\n".join(["| | shows | concepts | idle in `sandbox` |", "|---|---|--:|--:|", *rows, ""])


def replace_index(page: str, table: str) -> str:
    """The page with that table between its markers.

    Raises:
        ValueError: If it has no markers.
    """
    if not INDEX.search(page):
        raise ValueError(
            "README.md has no place for the index; add the lines '<!-- blueprints -->' and "
            "'<!-- /blueprints -->'"
        )
    return INDEX.sub(lambda _: table, page, count=1)


def index_findings(page: str, table: str) -> Iterator[str]:
    """What the page's index misses, and what it has that is no longer there."""
    shown = found[0].splitlines() if (found := INDEX.search(page)) else []
    for line in table.splitlines():
        if line not in shown:
            yield f"README.md: the index has no row '{line}'; run make index"
    for line in shown:
        if line not in table.splitlines():
            yield f"README.md: the index has an old row '{line}'; run make index"


def purpose(source: str) -> str:
    """The first line of the stack's docstring.

    Args:
        source: stack.py.
    """
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Stack"):
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _by_area(present: Sequence[str]) -> Iterator[str]:
    areas: dict[str, str] = {}
    for concept in catalogue():
        areas.setdefault(concept.blueprint, concept.area)
    order = list(areas)
    heading = ""
    for folder in sorted(present, key=lambda f: _place(blueprint_of(f), order)):
        blueprint = blueprint_of(folder)
        # What has no concepts of its own puts several blueprints together.
        if (area := areas.get(blueprint, "Together")) != heading:
            heading = area
            yield f"| **{area}** | | | |"
        yield _row(blueprint)


def _place(blueprint: str, order: Sequence[str]) -> int:
    return order.index(blueprint) if blueprint in order else len(order)


def _row(blueprint: str) -> str:
    folder = folder_of(blueprint)
    page = STACKS / folder / "README.md"
    idle = IDLE.search(page.read_text()) if page.exists() else None
    concepts = sum(concept.blueprint == blueprint for concept in catalogue())
    shows = purpose((STACKS / folder / "stack.py").read_text())
    return (
        f"| [{blueprint}](stacks/{folder}/README.md) | {shows} | {concepts} "
        f"| {idle[1] + '/h' if idle else '?'} |"
    )


if __name__ == "__main__":
    try:
        README.write_text(replace_index(README.read_text(), index()))
    except (OSError, ValueError) as error:
        sys.exit(f"index: {error}")
