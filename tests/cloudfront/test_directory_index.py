"""The function in JavaScript, run by Node."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

FUNCTION = Path(__file__).parents[2] / "stacks/cloudfront/functions/directory_index.js"
CALL = "\nconsole.log(JSON.stringify(handler(JSON.parse(process.argv[1]))));"


def run(request: Mapping[str, object]) -> object:
    # app.py has chosen it.
    node = os.environ["JSII_NODE"]
    event = json.dumps({"request": request})
    completed = subprocess.run(
        [node, "-e", FUNCTION.read_text() + CALL, event], capture_output=True, text=True, check=True
    )
    return json.loads(completed.stdout)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/", "/index.html"),
        ("/guide", "/guide/index.html"),
        ("/guide/", "/guide/index.html"),
        ("/v1.2/guide", "/v1.2/guide/index.html"),
        ("/guide/page.html", "/guide/page.html"),
    ],
)
def test_what_names_a_directory_gets_its_page(uri: str, expected: str) -> None:
    request = {"uri": uri, "method": "GET", "querystring": {"size": {"value": "large"}}}

    assert run(request) == {**request, "uri": expected}
