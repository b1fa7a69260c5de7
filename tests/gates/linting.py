"""cfn-lint over a template, its data on what AWS offers and for how long included."""

import functools
import json
from collections.abc import Iterator
from typing import NamedTuple

from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

from tests.assembly import Assembly
from tests.gates.resources import resources

# CDK writes them on purpose: a dependency that a reference implies anyhow.
NOISE = ["W3005"]
# Engines that cannot be created any more, services that ended, end or are only maintained.
LIFECYCLE = {"E3710", "W3690", "W3691", "W3696", "W3697"}


class Lint(NamedTuple):
    """One match of one rule."""

    rule: str
    logical_id: str
    message: str


def lint(assembly: Assembly) -> Iterator[tuple[str, Lint]]:
    """What cfn-lint finds in every template, warnings included, and where."""
    for stack, template in assembly.stacks.items():
        paths = {r.logical_id: str(r) for r in resources(assembly) if r.stack == stack}
        for found in _lint(json.dumps(template.body)):
            yield paths.get(found.logical_id, stack), found


@functools.cache
def _lint(template: str) -> tuple[Lint, ...]:
    # Only what it decoded itself knows the line of a finding.
    decoded, errors = decode_str(template)
    return tuple(
        Lint(match.rule.id, "/".join(map(str, (match.path or [])[1:2])), match.message)
        for match in errors or _runner().validate_template(decoded)
    )


@functools.cache
def _runner() -> Runner:
    return Runner(ConfigMixIn(regions=["us-east-1"], ignore_checks=NOISE))
