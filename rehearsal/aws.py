"""The same against the AWS account of the user's credentials, by the unmodified CDK CLI."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.blueprints import choose_blueprints
from rehearsal.cdk import options
from rehearsal.environment import CDK, NODE
from rehearsal.errors import RehearsalError
from rehearsal.exercises import pytest_command


def deploy(project: Path, names: Iterable[str], context: Iterable[str]) -> bool:
    """Deploy blueprints, and first those that they depend on."""
    return _cdk("deploy", project, names, context)


def destroy(project: Path, names: Iterable[str], context: Iterable[str]) -> bool:
    """Destroy blueprints, and first those that depend on them. The CLI asks for confirmation."""
    return _cdk("destroy", project, names, context)


def exercise(project: Path, names: Iterable[str], context: Iterable[str]) -> bool:
    """Exercise deployed blueprints. Of the context, only the prefix of stack names matters."""
    chosen = choose_blueprints(names, project / "stacks")
    _announce("exercising", chosen)
    settings = dict(setting.split("=", 1) for setting in context)
    prefix = settings.get("prefix", "blueprints")
    failed = [
        name
        for name, folder in chosen.items()
        if not _succeeds(pytest_command(folder, target="aws", prefix=prefix), project)
    ]
    return not failed


def _cdk(command: str, project: Path, names: Iterable[str], context: Iterable[str]) -> bool:
    chosen = choose_blueprints(names, project / "stacks")
    _announce(command, chosen)
    return _succeeds([str(CDK), command, *chosen, *options(context)], project)


def _announce(doing: str, chosen: Mapping[str, Path]) -> None:
    account, region = _identity()
    print(f"{doing} {', '.join(chosen)}: account {account}, {region}", flush=True)


def _identity() -> tuple[str, str]:
    try:
        session = boto3.session.Session()
        if not session.region_name:
            raise RehearsalError("no AWS region is set; set AWS_REGION, for example to eu-west-1")
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise RehearsalError(
            f"no working AWS credentials ({error}); log in (`aws sso login`, `aws configure`) or "
            "set AWS_PROFILE. Without an account: make rehearse"
        ) from None
    return identity["Account"], session.region_name


def _succeeds(command: list[str], project: Path) -> bool:
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join(
        [str(NODE.parent), str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
    )
    return subprocess.run(command, cwd=project, env=environment, check=False).returncode == 0
