"""What is proved and what is open, area by area: `python -m tests.gates.concepts`."""

import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.gates.folders import blueprint_of, folders
from tests.gates.proofs import Concept, Proofs, catalogue, proofs

COLUMNS = ("concepts", "template", "rehearsal", "AWS only", "note", "open")


def tell(concepts: Sequence[Concept], found: Mapping[str, Proofs]) -> str:
    """The report.

    Args:
        concepts: What is to be proved, in the order to tell it.
        found: What is proved, by blueprint; blueprints that are not there prove nothing.
    """
    counts = {
        area: _counts([concept for concept in concepts if concept.area == area], found)
        for area in dict.fromkeys(concept.area for concept in concepts)
    }
    counts["all"] = _counts(concepts, found)
    width = max(map(len, counts))
    lines = [" " * width + "".join(f"{column:>11}" for column in COLUMNS)]
    lines += [
        f"{area:{width}}" + "".join(f"{number or '.':>11}" for number in numbers)
        for area, numbers in counts.items()
    ]
    return "\n".join([*lines, "", *_legend(concepts, found)])


def proved(concept: Concept, found: Mapping[str, Proofs]) -> bool:
    """Whether everything that is owed is there and has run: what only AWS shows has not."""
    proofs = found.get(concept.blueprint, Proofs())
    return not proofs.missing(concept) and not _waits(concept, proofs)


def _counts(concepts: Sequence[Concept], found: Mapping[str, Proofs]) -> list[int]:
    def count(kind: str) -> int:
        return sum(
            kind in concept.proof
            and concept.blueprint in found
            and kind not in found[concept.blueprint].missing(concept)
            for concept in concepts
        )

    waiting = sum(_waits(c, found.get(c.blueprint, Proofs())) for c in concepts)
    unproved = sum(bool(found.get(c.blueprint, Proofs()).missing(c)) for c in concepts)
    return [len(concepts), count("template"), count("rehearsal"), waiting, count("note"), unproved]


def _waits(concept: Concept, proofs: Proofs) -> bool:
    """Whether a test for AWS is written that nobody has run."""
    if "aws" not in concept.proof or "aws" in proofs.missing(concept):
        return False
    return concept.id in proofs.proved["aws"]


def _legend(concepts: Sequence[Concept], found: Mapping[str, Proofs]) -> Iterator[str]:
    complete = sum(proved(concept, found) for concept in concepts)
    yield f"{complete} of {len(concepts)} are proved."
    yield "AWS only: written, not yet run; counts as unproved until somebody runs it there."
    absent: dict[str, int] = {}
    for concept in concepts:
        if concept.blueprint not in found:
            absent[concept.blueprint] = absent.get(concept.blueprint, 0) + 1
        elif missing := found[concept.blueprint].missing(concept):
            yield f"open: {concept.id} ({', '.join(missing)})"
        if concept.because:
            yield f"on AWS instead of the rehearsal: {concept.id}, because {concept.because}"
    if absent:
        yield "open, no blueprint yet: " + ", ".join(f"{name} ({n})" for name, n in absent.items())


if __name__ == "__main__":
    blueprints = [blueprint_of(folder) for folder in folders()]
    here = {blueprint: proofs(blueprint, catalogue()) for blueprint in blueprints}
    sys.stdout.write(tell(catalogue(), here) + "\n")
