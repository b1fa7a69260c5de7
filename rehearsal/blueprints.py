"""The blueprints there are, by their folders under ``stacks/``."""

import keyword
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from rehearsal.errors import RehearsalError

ALL = "all"


def blueprint_id(folder: Path) -> str:
    """The id of the blueprint in a folder: ``ecs_fargate`` holds ``ecs-fargate``."""
    name = folder.name
    # `lambda` is no name for a Python package, so its folder is `lambda_`.
    if name.endswith("_") and keyword.iskeyword(name[:-1]):
        name = name[:-1]
    return name.replace("_", "-")


def find_blueprints(root: Path) -> dict[str, Path]:
    """Every blueprint id with its folder, in alphabetical order."""
    return {blueprint_id(stack.parent): stack.parent for stack in sorted(root.glob("*/stack.py"))}


def choose_blueprints(given: Iterable[str], root: Path) -> dict[str, Path]:
    """The blueprints a person asked for, each once, in the order asked.

    Args:
        given: Ids; ``all``, or nothing, means every blueprint.
        root: The folder that holds the blueprints' folders.

    Raises:
        RehearsalError: For a name that is not a blueprint, with the nearest one that is; and
            if there are no blueprints at all.
    """
    known = find_blueprints(root)
    if not known:
        raise RehearsalError(f"there is no blueprint in {root} (a folder with a stack.py)")
    names = list(dict.fromkeys(given)) or [ALL]
    if ALL in names:
        names = list(known)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise RehearsalError(
                f"unknown blueprint '{name}'{hint}; there are: {', '.join(known)}, or {ALL}"
            )
    return {name: known[name] for name in names}
