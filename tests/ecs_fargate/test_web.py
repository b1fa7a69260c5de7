import json
from pathlib import Path

import pytest

from stacks.ecs_fargate.containers import web

PAGE = {"task": "b", "written_at": 1}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.json"
    path.write_text(json.dumps(PAGE))
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("path", ["/fargate", "/fargate/", "/fargate/?a=b"])
def test_the_page_comes_with_all_tasks_that_have_signed_in(
    page: Path, kept: Path, path: str
) -> None:
    for task in ("c", "a"):
        (kept / task).touch()

    web.sign_in(page, kept)
    web.sign_in(page, kept)

    assert web.answer(path, page, kept) == (200, {"page": PAGE, "tasks": ["a", "b", "c"]})


def test_its_health_depends_on_no_file(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"

    assert web.answer("/health", nothing, nothing)[0] == 200


@pytest.mark.parametrize("path", ["/", "/fargate/other", "/fargates", "/healthy"])
def test_other_paths_are_not_found(page: Path, kept: Path, path: str) -> None:
    assert web.answer(path, page, kept)[0] == 404
