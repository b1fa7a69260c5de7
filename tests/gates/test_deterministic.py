"""The same sources give the same bytes, wherever and whenever."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assembly import Assembly
from tests.gates.cold import ColdRun
from tests.gates.findings import refuse


def differences(one: Path, other: Path) -> Iterator[str]:
    """Files that are not the same in two assemblies, each with the first place that differs."""
    files = {p.relative_to(root) for root in (one, other) for p in root.rglob("*") if p.is_file()}
    for file in sorted(files):
        first, second = one / file, other / file
        if not (first.exists() and second.exists()):
            yield f"{file}: only one of two synths wrote it; what it is named after changes"
        elif first.read_bytes() != second.read_bytes():
            yield (
                f"{file}: two synths differ at {_first_difference(first, second)}; sort what has "
                "no order, and use no clock, path, random number or environment"
            )


def _first_difference(first: Path, second: Path) -> str:
    lines = zip(first.read_bytes().splitlines(), second.read_bytes().splitlines(), strict=False)
    for number, (one, other) in enumerate(lines, start=1):
        if one != other:
            return f"line {number}: {one.decode(errors='replace').strip()[:80]}"
    return "its end"


@pytest.mark.parametrize("profile", ["sandbox", "production"])
def test_two_synths_are_byte_identical(profile: str, cold_runs: dict[str, list[ColdRun]]) -> None:
    one, other = cold_runs[profile]

    assert one.status == other.status == 0, one.stderr + other.stderr
    refuse(differences(one.outdir, other.outdir))


def test_a_difference_in_any_file_is_found(tmp_path: Path, sandbox: Assembly) -> None:
    other = Path(shutil.copytree(sandbox.path, tmp_path / "copy"))
    template = other / "sqs.template.json"
    template.write_text(template.read_text().replace("python3.14", "python3.15", 1))
    (other / "tree.json").unlink()
    (other / "asset.new").mkdir()
    (other / "asset.new" / "index.py").write_text("")

    asset, edited, tree = differences(sandbox.path, other)

    assert asset.startswith("asset.new/index.py: only one of two synths wrote it; ")
    assert edited.startswith("sqs.template.json: two synths differ at line ")
    assert '"Runtime": "python3.14"' in edited
    assert tree.startswith("tree.json: only one of two synths wrote it; ")


def test_a_longer_file_differs_at_its_end(tmp_path: Path) -> None:
    for name, text in (("one", "a\n"), ("other", "a\nb\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(text)

    [finding] = differences(tmp_path / "one", tmp_path / "other")

    assert finding.startswith("f: two synths differ at its end; ")
