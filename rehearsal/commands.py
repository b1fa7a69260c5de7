"""The command line: ``python -m rehearsal rehearse sqs``."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rehearsal import aws, preflight
from rehearsal.environment import CDK, NODE
from rehearsal.errors import RehearsalError
from rehearsal.run import rehearse

ON_AWS = {"deploy": aws.deploy, "destroy": aws.destroy, "exercise": aws.exercise}


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: As on the command line, without the program.

    Returns:
        The exit status: 0 if everything went well, else 1.
    """
    given = _parser().parse_args(arguments)
    try:
        return 0 if _run(given, Path.cwd()) else 1
    except RehearsalError as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace, project: Path) -> bool:
    _refuse_if(preflight.missing_tools(project, CDK, NODE))
    if given.target == "aws":
        # What costs money, or cannot be undone, is not done to every blueprint unasked.
        if not given.blueprints:
            example = f"make {given.command} BLUEPRINT=sqs"
            raise RehearsalError(f"no blueprint is named; say which one, as in `{example}`, or all")
        return ON_AWS[given.command](project, given.blueprints, given.context)
    _refuse_if(preflight.full_disk(Path(tempfile.gettempdir())))
    return rehearse(project, given.blueprints, port=given.port, context=given.context)


def _refuse_if(complaint: str) -> None:
    if complaint:
        raise RehearsalError(complaint)


def _setting(given: str) -> str:
    if "=" not in given:
        raise argparse.ArgumentTypeError(f"'{given}' is no setting; give KEY=VALUE")
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, target, does in (
        ("rehearse", "rehearsal", "deploy to a local AWS, exercise, destroy"),
        ("exercise", None, "exercise deployed blueprints on AWS, or rehearse them"),
        ("deploy", "aws", "deploy to the AWS account of your credentials"),
        ("destroy", "aws", "destroy what was deployed there"),
    ):
        command = commands.add_parser(name, help=does, description=does)
        command.add_argument("blueprints", nargs="*", metavar="BLUEPRINT", help="or all")
        command.add_argument(
            "-c",
            "--context",
            action="append",
            type=_setting,
            default=[],
            metavar="KEY=VALUE",
            help="a setting of the app, as with cdk -c",
        )
        command.set_defaults(target=target, port=None)
        if target is None:
            command.add_argument("--target", choices=["aws", "rehearsal"], default="aws")
        if target != "aws":
            command.add_argument("--port", type=int, help="the emulator's; free unless given")
    return parser
