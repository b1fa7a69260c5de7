"""Running the exercise of a blueprint, and what came of it."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.environment import ROOT
from rehearsal.processes import Child, Workshop

RESULT = re.compile(r"^\S+?::(?:test_)?(.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", re.M)
FAILURES = "=================================== FAILURES"
WORDS = {
    "passed": "passed",
    "failed": "failed",
    "error": "errors",
    "skipped": "skipped",
    "xfailed": "expected failures",
    "xpassed": "unexpected passes",
    "aws_only": "AWS only",
}


@dataclass(frozen=True)
class Tally:
    """How the tests of an exercise ended.

    Attributes:
        outcomes: Numbers by pytest's names, and ``aws_only`` for those that were left out.
        passed: Whether pytest thought it a success.
    """

    outcomes: Mapping[str, int]
    passed: bool

    @property
    def succeeded(self) -> bool:
        """Whether all was seen to happen: what is skipped or expected to fail was not."""
        unseen = ("skipped", "xfailed", "xpassed")
        return self.passed and not any(self.outcomes.get(key) for key in unseen)

    def __str__(self) -> str:
        """As in the table that ends a rehearsal: ``12 passed, 2 AWS only``."""
        told = [
            f"{self.outcomes[key]} {word}" for key, word in WORDS.items() if self.outcomes.get(key)
        ]
        return ", ".join(told) or "nothing ran"


@dataclass
class Exercise:
    """An exercise that runs, or ran, in a pytest of its own."""

    child: Child
    tally_file: Path
    _told: int = 0

    def news(self) -> list[str]:
        """What has been seen since this was last asked: the names of the tests, as sentences."""
        results = RESULT.findall(self.child.output)
        fresh, self._told = results[self._told :], len(results)
        return [f"{outcome.lower()}: {name.replace('_', ' ')}" for name, outcome in fresh]

    def tally(self) -> Tally:
        """What came of it, once it has ended."""
        outcomes = json.loads(self.tally_file.read_text()) if self.tally_file.exists() else {}
        return Tally(outcomes, passed=self.child.succeeded)

    def failures(self) -> str:
        """What pytest says of the tests that failed."""
        head, heading, rest = self.child.output.partition(FAILURES)
        return (heading + rest if rest else head).rstrip()


def pytest_command(folder: Path, *, target: str, prefix: str) -> list[str]:
    """The command that exercises the blueprint in a folder, with a line for each test."""
    return [
        *(sys.executable, "-m", "pytest", "-p", "rehearsal.fixtures", "-p", "no:cacheprovider"),
        "--verbose",
        # On AWS some things take an hour; exercises say themselves how long they wait.
        *(["--override-ini=timeout=7200"] if target == "aws" else []),
        f"--target={target}",
        f"--prefix={prefix}",
        str(folder / "exercise.py"),
    ]


def start_exercise(
    workshop: Workshop,
    folder: Path,
    *,
    prefix: str,
    endpoint: str,
    environment: Mapping[str, str],
    project: Path,
) -> Exercise:
    """Exercise the blueprint in a folder on the emulator, beside this process."""
    tally_file = workshop.directory / f"tally-{folder.name}.json"
    command = pytest_command(folder, target="rehearsal", prefix=prefix)
    child = workshop.start(
        f"exercise-{folder.name}",
        [*command, f"--endpoint={endpoint}", f"--tally={tally_file}"],
        # Its tests import this package, wherever the project is.
        environment={**environment, "PYTHONPATH": str(ROOT)},
        cwd=project,
    )
    return Exercise(child, tally_file)
