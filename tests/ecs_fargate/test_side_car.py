import json
from pathlib import Path

from stacks.ecs_fargate.containers import side_car

METADATA = {"TaskARN": "arn:aws:ecs:us-east-1:111111111111:task/shop/0123456789abcdef"}


def test_the_page_names_the_task_and_tells_when_it_was_written() -> None:
    assert side_car.page(METADATA, now=1234.5678) == {
        "task": "0123456789abcdef",
        "written_at": 1235,
    }


def test_a_page_takes_the_place_of_the_one_before_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text("something longer than what comes now")

    side_car.replace(path, {"task": "a"})

    assert json.loads(path.read_text()) == {"task": "a"}
    assert list(tmp_path.iterdir()) == [path]
