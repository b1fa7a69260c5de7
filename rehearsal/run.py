"""A rehearsal: deploy to the local AWS, exercise, destroy, and see that nothing is left."""

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.blueprints import choose_blueprints
from rehearsal.cdk import Toolkit, cli_error, synth_error
from rehearsal.cloudformation import DeployedStack, deployed_stacks
from rehearsal.emulator import Emulator
from rehearsal.environment import rehearsal_environment
from rehearsal.errors import RehearsalError, indented
from rehearsal.exercises import start_exercise
from rehearsal.inventory import take_inventory, unlisted
from rehearsal.processes import Child, Workshop
from rehearsal.report import Progress, Row, table, tier_of


def rehearse(
    project: Path, names: Iterable[str], *, port: int | None = None, context: Iterable[str] = ()
) -> bool:
    """Rehearse blueprints on a local AWS that lives and ends with this call.

    Args:
        project: The directory of cdk.json and of ``stacks/``.
        names: Blueprint ids; none, or ``all``, for every blueprint.
        port: The emulator's; a free one, unless given.
        context: ``key=value`` settings for the app, as with ``cdk -c``.

    Returns:
        Whether everything went as it should.

    Raises:
        RehearsalError: It could not be carried through.
    """
    blueprints = choose_blueprints(names, project / "stacks")
    with Workshop() as workshop, Emulator(workshop, port) as emulator:
        environment = rehearsal_environment(workshop.directory / "home", emulator.endpoint)
        toolkit = Toolkit(workshop, environment)
        with only_environment(environment):
            rehearsal = Rehearsal(project, blueprints, workshop, emulator, toolkit)
            rehearsal.prepare(context)
            rehearsal.deploy()
            rehearsal.exercise()
            rehearsal.destroy()
    return rehearsal.conclude()


@dataclass
class Rehearsal:
    """The acts of a rehearsal, in their order, and what has been seen so far."""

    project: Path
    blueprints: Mapping[str, Path]
    workshop: Workshop
    emulator: Emulator
    toolkit: Toolkit
    progress: Progress = field(default_factory=Progress)
    rows: dict[str, Row] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def prepare(self, context: Iterable[str]) -> None:
        """Synthesize, and meanwhile start the emulator and bootstrap its account."""
        synth = self.toolkit.synth(self.project, context)
        self.emulator.wait_until_ready()
        self.progress.tell(f"MiniStack {self.emulator.version} answers on {self.emulator.endpoint}")
        bootstrap = self.toolkit.bootstrap()
        self.emulator.attend(bootstrap)
        if not bootstrap.succeeded:
            raise RehearsalError("cdk bootstrap failed:\n" + cli_error(bootstrap.output))
        self._before = take_inventory()
        self.progress.tell("account bootstrapped")
        self.emulator.attend(synth)
        if not synth.succeeded:
            raise synth_error(synth.output)
        self.names = self.toolkit.stack_names()
        if missing := [name for name in self.blueprints if name not in self.names]:
            raise RehearsalError(f"the app has no stack '{missing[0]}'; compose it in app.py")
        self.progress.tell("app synthesized")

    def deploy(self) -> None:
        """Deploy the stacks, and those that they depend on."""
        deployment = self.toolkit.deploy(self.blueprints)
        self.emulator.attend(deployment)
        stacks = deployed_stacks()
        self.deployed = {id_: stacks[name] for id_, name in self.names.items() if name in stacks}
        tiers = self.emulator.tiers()
        for name in (*self.deployed, *self.blueprints):
            self.rows[name] = _row(name, self.deployed.get(name), tiers)
        if deployment.succeeded:
            self.progress.tell(f"deployed {', '.join(self.deployed)}")
        else:
            self._fail(
                "cdk deploy failed", _reasons(self.deployed.values(), deployment), deployment
            )

    def exercise(self) -> None:
        """Exercise what was asked for and is deployed.

        One after the other: they share the emulator's clock, and some move it.
        """
        for name, folder in self.blueprints.items():
            if name in self.deployed and self.deployed[name].complete:
                self._exercise(name, folder)

    def destroy(self) -> None:
        """Destroy what was deployed, and look whether it is gone."""
        if not self.deployed:
            return
        destruction = self.toolkit.destroy(self.deployed)
        self.emulator.attend(destruction)
        left = deployed_stacks().values()
        if destruction.succeeded and not left:
            self.progress.tell(f"destroyed {', '.join(self.deployed)}")
        else:
            self._fail("cdk destroy failed", _reasons(left, destruction), destruction)
        self._look_for_remains()

    def conclude(self) -> bool:
        """Print the table and the problems; tell whether there were none."""
        print("\n" + table(self.rows.values()))
        for problem in self.problems:
            print("\n" + problem)
        return not self.problems

    def _exercise(self, name: str, folder: Path) -> None:
        began = time.monotonic()
        exercise = start_exercise(
            self.workshop,
            folder,
            prefix=self.names[name].removesuffix(f"-{name}"),
            endpoint=self.emulator.endpoint,
            environment=self.toolkit.environment,
            project=self.project,
        )

        def tell_news() -> None:
            for sentence in exercise.news():
                self.progress.detail(sentence)

        self.emulator.attend(exercise.child, tell_news)
        tally = exercise.tally()
        self.rows[name].exercise = str(tally)
        self.rows[name].seconds += time.monotonic() - began
        if tally.succeeded:
            self.progress.tell(f"exercised {name}: {tally}")
        else:
            self._fail(f"the exercise of {name} failed", exercise.failures(), exercise.child)

    def _look_for_remains(self) -> None:
        recorded = {each for row in self.rows.values() for each in row.of_tier("recorded")}
        remains = sorted(take_inventory(recorded) - self._before)
        unseen = unlisted(each for row in self.rows.values() for each in row.of_tier("emulated"))
        if remains:
            self._fail("left after cdk destroy", indented(map(str, remains)))
        if unseen:
            self._fail(
                "nobody looked whether resources of these types are gone",
                indented([*unseen, "(say in rehearsal/inventory.py how to list them)"]),
            )
        if not remains and not unseen:
            self.progress.tell("nothing is left in the account")

    def _fail(self, what: str, why: str, culprit: Child | None = None) -> None:
        self.progress.tell(what)
        problem = f"{what}:\n{why}"
        if culprit:
            kept = self.project / ".rehearsal" / culprit.log.name
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(culprit.output)
            problem += f"\nall of its output: {kept.relative_to(self.project)}"
        self.problems.append(problem)


def _row(name: str, stack: DeployedStack | None, tiers: Mapping[str, str]) -> Row:
    if stack is None:
        return Row(name, exercise="not deployed")
    types: dict[str, list[str]] = defaultdict(list)
    for resource_type in stack.resource_types():
        types[tier_of(resource_type, tiers)].append(resource_type)
    exercise = "-" if stack.complete else stack.status
    return Row(name, types, exercise, stack.seconds())


def _reasons(stacks: Iterable[DeployedStack], command: Child) -> str:
    """Why a command failed: by CloudFormation's account, or else by the CLI's."""
    reasons = [reason for stack in stacks for reason in stack.failures()]
    return indented(reasons) if reasons else cli_error(command.output)


@contextmanager
def only_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this process see no other environment, so that nothing finds the user's AWS account."""
    own = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(own)
