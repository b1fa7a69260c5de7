"""Every claim of the notes is proved by the blueprint it belongs to."""

import re

import pytest

from tests.gates.concepts import proved, tell
from tests.gates.findings import refuse
from tests.gates.folders import ROOT, blueprint_of, folders
from tests.gates.proofs import (
    KINDS,
    Concept,
    Proofs,
    catalogue,
    markers,
    open_concepts,
    proofs,
    unknown_markers,
)


def test_every_concept_of_every_blueprint_is_proved() -> None:
    blueprints = [blueprint_of(folder) for folder in folders()]
    found = {blueprint: proofs(blueprint, catalogue()) for blueprint in blueprints}

    refuse(open_concepts(catalogue(), found))


def test_every_marker_names_a_concept() -> None:
    paths = [*ROOT.glob("tests/*/test_*.py"), *ROOT.glob("stacks/*/exercise.py")]
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}

    refuse(unknown_markers(sources, [concept.id for concept in catalogue()]))


def test_the_catalogue_says_what_is_true_and_what_is_owed() -> None:
    for concept in catalogue():
        assert concept.proof, concept.id
        assert set(concept.proof) <= set(KINDS), concept.id
        assert concept.statement.endswith((".", '"')), concept.id
        if concept.correction:
            assert concept.correction in {"corrected", "dated"}, concept.id
            assert concept.notes, concept.id
            assert concept.source, concept.id
    assert len({concept.id for concept in catalogue()}) == len(catalogue())


def concept(*proof: str, **more: str) -> Concept:
    return Concept("sqs.delay", "Messaging", "sqs", "A queue can delay.", proof, **more)


def found(**proved: set[str]) -> dict[str, Proofs]:
    return {"sqs": Proofs({kind: proved.get(kind, set()) for kind in KINDS})}


TEST = {"sqs.delay"}


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("template", "a test with its marker in tests/sqs/"),
        ("rehearsal", "a test with its marker in stacks/sqs/exercise.py that is not aws_only"),
        ("aws", "a test with its marker and aws_only in stacks/sqs/exercise.py"),
        ("note", "its id or its statement in stacks/sqs/README.md"),
    ],
)
def test_a_proof_that_is_owed_and_not_there_is_found(kind: str, remedy: str) -> None:
    others = {other: TEST for other in KINDS if other not in {kind, "rehearsal"}}

    assert list(open_concepts([concept(kind)], found(**others))) == [
        f"sqs.delay: owes a proof of kind '{kind}'; write {remedy}"
    ]
    assert not list(open_concepts([concept(kind)], found(**{kind: TEST})))


def test_a_blueprint_that_is_not_there_owes_nothing_yet() -> None:
    assert not list(open_concepts([concept("template")], {}))


def test_what_the_rehearsal_shows_needs_no_account() -> None:
    shown = found(rehearsal=TEST)

    assert not list(open_concepts([concept("aws")], shown))
    assert proved(concept("aws"), shown)
    assert list(open_concepts([concept("rehearsal", "aws")], shown)), "each has its own behaviour"


def test_written_for_aws_and_not_yet_run_is_not_proved() -> None:
    written = found(template=TEST, aws=TEST)

    assert not list(open_concepts([concept("template", "aws")], written))
    assert not proved(concept("template", "aws"), written)


def test_a_marker_of_no_concept_is_told_the_nearest() -> None:
    source = '@pytest.mark.concept("sqs.dealy")\ndef test_a_delay(): ...'

    assert list(unknown_markers({"tests/sqs/test_stack.py": source}, ["sqs.delay", "s3.acl"])) == [
        "tests/sqs/test_stack.py: test_a_delay proves 'sqs.dealy', which is no concept; "
        "perhaps 'sqs.delay'"
    ]


def test_markers_are_read_from_the_source() -> None:
    source = """
@pytest.mark.concept("a", "b")
@pytest.mark.concept("c")
@pytest.mark.parametrize("x", ["no"])
def test_plain(x): ...

@pytest.mark.aws_only
@pytest.mark.concept("d")
def test_on_aws(): ...

@pytest.mark.concept("e")
def prepares(): ...
"""
    assert sorted(markers(source)) == [
        ("a", False, "test_plain"),
        ("b", False, "test_plain"),
        ("c", False, "test_plain"),
        ("d", True, "test_on_aws"),
    ]


def test_the_report_counts_by_area_and_names_what_is_open() -> None:
    others = [
        Concept("s3.acl", "S3", "s3", "Off.", ["template"]),
        Concept("sqs.size", "Messaging", "sqs", "Small.", ["aws"], because="nothing counts here"),
        Concept("sqs.names", "Messaging", "sqs", "Unique.", ["template", "rehearsal"]),
    ]
    told = tell(
        [concept("template", "rehearsal"), *others],
        found(template={"sqs.delay", "sqs.names"}, rehearsal=TEST, aws={"sqs.size"}),
    )

    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line}
    assert re.split(r"\s{2,}", told.splitlines()[0].strip()) == [
        "concepts",
        "template",
        "rehearsal",
        "AWS only",
        "note",
        "open",
    ]
    assert rows["Messaging"] == ["3", "2", "1", "1", ".", "1"]
    assert rows["S3"] == ["1", ".", ".", ".", ".", "1"]
    assert rows["all"] == ["4", "2", "1", "1", ".", "2"]
    assert "1 of 4 are proved." in told
    assert "open: sqs.names (rehearsal)" in told
    assert "on AWS instead of the rehearsal: sqs.size, because nothing counts here" in told
    assert "open, no blueprint yet: s3 (1)" in told
