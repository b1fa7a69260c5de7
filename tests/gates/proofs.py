"""Which concepts of docs/concepts.yaml are proved, and how.

Markers are read from the source: collecting the tests would start the CDK, which takes seconds.
"""

import ast
import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.gates.folders import ROOT, STACKS, TESTS, folder_of

CATALOGUE = ROOT / "docs" / "concepts.yaml"
KINDS = ("template", "rehearsal", "aws", "note")
ABSENT = {
    "template": "a test with its marker in tests/{folder}/",
    "rehearsal": "a test with its marker in stacks/{folder}/exercise.py that is not aws_only",
    "aws": "a test with its marker and aws_only in stacks/{folder}/exercise.py",
    "note": "its id or its statement in stacks/{folder}/README.md",
}


@dataclass(frozen=True)
class Concept:
    """One claim of the notes, as it is true today; docs/concepts.yaml says what the fields mean."""

    id: str
    area: str
    blueprint: str
    statement: str
    proof: Sequence[str]
    correction: str = ""
    notes: str = ""
    source: str = ""
    because: str = ""


@dataclass
class Proofs:
    """What the files of one blueprint prove: concept ids by kind of proof."""

    proved: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    def missing(self, concept: Concept) -> list[str]:
        """The kinds of proof that are owed and not there."""
        return [kind for kind in concept.proof if not self._meets(concept, kind)]

    def _meets(self, concept: Concept, kind: str) -> bool:
        if concept.id in self.proved[kind]:
            return True
        # What only AWS was expected to show is shown by the local one as well.
        shown_locally = concept.id in self.proved["rehearsal"]
        return kind == "aws" and "rehearsal" not in concept.proof and shown_locally


@functools.cache
def catalogue() -> tuple[Concept, ...]:
    """Every concept, in the order of the notes."""
    return tuple(Concept(**entry) for entry in yaml.safe_load(CATALOGUE.read_text()))


def markers(source: str) -> Iterator[tuple[str, bool, str]]:
    """(concept id, whether it is aws_only, name of the test) of every marked test."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [_mark(decorator) for decorator in node.decorator_list]
            aws_only = any(name == "aws_only" for name, _ in marks)
            for name, ids in marks:
                if name == "concept":
                    yield from ((concept, aws_only, node.name) for concept in ids)


def proofs(blueprint: str, concepts: Iterable[Concept]) -> Proofs:
    """What the tests, the exercise and the page of a blueprint prove."""
    folder = folder_of(blueprint)
    found = Proofs()
    for path in sorted((TESTS / folder).glob("test_*.py")):
        found.proved["template"] |= {concept for concept, _, _ in markers(path.read_text())}
    for concept, aws_only, _ in markers(_text(STACKS / folder / "exercise.py")):
        found.proved["aws" if aws_only else "rehearsal"].add(concept)
    page = " ".join(_text(STACKS / folder / "README.md").split())
    found.proved["note"] = {c.id for c in concepts if c.id in page or c.statement in page}
    return found


def open_concepts(concepts: Iterable[Concept], found: Mapping[str, Proofs]) -> Iterator[str]:
    """Proofs that are owed by a blueprint that exists, and missing.

    Args:
        concepts: What is to be proved.
        found: What is proved, by blueprint; blueprints that are not there owe nothing yet.
    """
    for concept in concepts:
        if concept.blueprint in found:
            for kind in found[concept.blueprint].missing(concept):
                absent = ABSENT[kind].format(folder=folder_of(concept.blueprint))
                yield f"{concept.id}: owes a proof of kind '{kind}'; write {absent}"


def unknown_markers(sources: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Markers that name no concept.

    Args:
        sources: Python by path.
        known: The ids there are.
    """
    ids = set(known)
    for path, source in sources.items():
        for concept, _, test in markers(source):
            if concept not in ids:
                near = difflib.get_close_matches(concept, ids, n=1, cutoff=0)
                yield f"{path}: {test} proves '{concept}', which is no concept; perhaps '{near[0]}'"


def _mark(decorator: ast.expr) -> tuple[str, list[str]]:
    """The name and the literal arguments of ``@pytest.mark.name(...)``."""
    call = decorator if isinstance(decorator, ast.Call) else None
    function = call.func if call else decorator
    values = [a.value for a in call.args if isinstance(a, ast.Constant)] if call else []
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return name, [value for value in values if isinstance(value, str)]


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
