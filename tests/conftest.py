"""What the tests of every blueprint share."""

import os

# A deprecated API of the CDK raises; it must be set before jsii starts.
os.environ["JSII_DEPRECATED"] = "fail"

# It chooses the Node that jsii starts, and must do so before anything imports aws_cdk.
import app  # noqa: F401, I001

import re
import sys
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.assembly import ROOT, Assembly, synthesize

ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
# A version's logical id carries a hash of the code it is a version of.
VERSION_HASH = re.compile(r"(CurrentVersion|Deployment)([0-9A-F]{8})[0-9a-f]{32}")


# The layers that handlers share. They come last: some of their packages are installed here as well.
sys.path += map(str, ROOT.glob("constructs/patterns/layers/*/python"))


@pytest.fixture(scope="session", params=["sandbox", "production"])
def assembly(request: pytest.FixtureRequest) -> Assembly:
    """The synthesized app, under each profile."""
    return synthesize(request.param)


@pytest.fixture(scope="session")
def sandbox() -> Assembly:
    """The synthesized app as most people deploy it."""
    return synthesize("sandbox")


@pytest.fixture(scope="session")
def production() -> Assembly:
    """The synthesized app as one would rely on it."""
    return synthesize("production")


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """A JSON file per stack and profile, blind to what is in assets: its diff is infrastructure."""
    return snapshot.with_defaults(extension_class=TemplateSnapshot)


class TemplateSnapshot(JSONSnapshotExtension):
    """Masks hashes of code in keys and values, and leaves out the bootstrap version's check."""

    def serialize(self, data: Any, **kwargs: Any) -> str:
        body = {k: v for k, v in data.items() if k not in ("Parameters", "Rules")}
        body["Parameters"] = {
            k: v for k, v in data.get("Parameters", {}).items() if k != "BootstrapVersion"
        }
        rules = {k: v for k, v in data.get("Rules", {}).items() if k != "CheckBootstrapVersion"}
        text = str(super().serialize({**body, "Rules": rules} if rules else body, **kwargs))
        text = ASSET_HASH.sub("<asset>", text)
        return VERSION_HASH.sub(r"\1\2<code>", text)
