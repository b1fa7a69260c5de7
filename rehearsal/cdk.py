"""The unmodified CDK CLI, pointed at the emulator."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.environment import ACCOUNT, CDK, REGION, isolated_environment
from rehearsal.errors import RehearsalError, indented
from rehearsal.processes import Child, Workshop

# Stacks in flight at once. The emulator serves them from one process.
CONCURRENCY = 4
# How settings.py begins what it has to say about an option.
APP_SAYS = "blueprints: "
QUIETLY = ("--no-notices",)


@dataclass(frozen=True)
class Toolkit:
    """Starts CDK commands.

    Args:
        workshop: Holds their logs and the cloud assembly.
        environment: All that they see of the user's machine.
    """

    workshop: Workshop
    environment: Mapping[str, str]

    @property
    def assembly(self) -> Path:
        """The directory of the synthesized app."""
        return self.workshop.directory / "cdk.out"

    def synth(self, project: Path, context: Iterable[str]) -> Child:
        """Synthesize the app of the project's cdk.json, with ``key=value`` context.

        Without credentials: with them, the CLI first asks an AWS that may not have started yet.
        """
        return self.workshop.start(
            "cdk-synth",
            [CDK, "synth", "--quiet", "--output", self.assembly, *options(context), *QUIETLY],
            environment=isolated_environment(self.workshop.directory / "home"),
            cwd=project,
        )

    def bootstrap(self) -> Child:
        """Bootstrap the account and region of the rehearsal."""
        return self._start("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def deploy(self, stacks: Iterable[str]) -> Child:
        """Deploy stacks, and first those that they depend on."""
        return self._start(
            "deploy",
            *stacks,
            "--app",
            self.assembly,
            "--require-approval=never",
            f"--concurrency={CONCURRENCY}",
        )

    def destroy(self, stacks: Iterable[str]) -> Child:
        """Destroy stacks: all that are deployed, or what depends on others keeps these."""
        # Otherwise the CLI would also destroy dependent stacks that are not there, and wait for it.
        return self._start("destroy", *stacks, "--app", self.assembly, "--force", "--exclusively")

    def stack_names(self) -> dict[str, str]:
        """The CloudFormation name of each stack of the assembly, by its id."""
        manifest = json.loads((self.assembly / "manifest.json").read_text())
        return {
            artifact.get("displayName", key): artifact["properties"]["stackName"]
            for key, artifact in manifest["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        }

    def _start(self, command: str, *arguments: str | Path) -> Child:
        return self.workshop.start(
            f"cdk-{command}", [CDK, command, *arguments, *QUIETLY], environment=self.environment
        )


def options(context: Iterable[str]) -> list[str]:
    """The CLI's arguments for ``key=value`` context."""
    return [f"--context={setting}" for setting in context]


def synth_error(output: str) -> RehearsalError:
    """Why synthesis failed: the app's own line about a wrong option, or the end of the log."""
    lines = output.strip().splitlines()
    said = [line.removeprefix(APP_SAYS) for line in lines if line.startswith(APP_SAYS)]
    if said:
        return RehearsalError(said[0])
    return RehearsalError("cdk synth failed:\n" + indented(lines[-30:]))


def cli_error(output: str) -> str:
    """What the CLI says went wrong, without its account of what went well."""
    lines = output.strip().splitlines()
    telling = [line for line in lines if "❌" in line or "Error" in line or "_FAILED" in line]
    return indented(telling or lines[-10:])
