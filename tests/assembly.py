"""The synthesized app, as tests see it: templates by construct path, and what was found in them."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag

from app import compose
from settings import Settings

ROOT = Path(__file__).parent.parent
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]


@dataclass(frozen=True)
class StackTemplate:
    """One template; its resources are found by construct path, never by hashed id."""

    body: dict[str, Any]

    def logical_id(self, path: str) -> str:
        """The logical id of the construct at ``path`` within its stack, as in ``Fulfil/Url``."""
        name = re.sub(r"[^A-Za-z0-9]", "", path)
        found = [i for i in self.body["Resources"] if re.fullmatch(name + "([0-9A-F]{8})?", i)]
        assert len(found) == 1, f"{path}: {found or sorted(self.body['Resources'])}"
        return str(found[0])

    def __getitem__(self, path: str) -> dict[str, Any]:
        """The properties of the resource at ``path``."""
        properties = self.body["Resources"][self.logical_id(path)].get("Properties", {})
        assert isinstance(properties, dict)
        return properties

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of a type, by logical id; at least one is expected."""
        found = {
            logical_id: resource.get("Properties", {})
            for logical_id, resource in self.body["Resources"].items()
            if resource["Type"] == resource_type
        }
        assert found, f"no {resource_type}"
        return found

    def types(self) -> set[str]:
        """The types of all resources."""
        return {resource["Type"] for resource in self.body["Resources"].values()}

    def ref(self, path: str) -> dict[str, str]:
        """``Ref`` to the resource at ``path``."""
        return {"Ref": self.logical_id(path)}

    def att(self, path: str, attribute: str = "Arn") -> dict[str, list[str]]:
        """``Fn::GetAtt`` of an attribute of the resource at ``path``."""
        return {"Fn::GetAtt": [self.logical_id(path), attribute]}

    def statements(self, role_path: str) -> list[dict[str, Any]]:
        """Every statement of the policies attached to the role at ``role_path``."""
        role = self.ref(role_path)
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            if role in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def allowed(self, role_path: str, resource: Any) -> set[str]:
        """The actions that the role at ``role_path`` is allowed on exactly ``resource``."""
        return {
            action
            for statement in self.statements(role_path)
            if statement["Effect"] == "Allow" and resource in _listed(statement["Resource"])
            for action in _listed(statement["Action"])
        }


@dataclass(frozen=True)
class Assembly:
    """Everything one synthesis of the app wrote."""

    path: Path

    @functools.cached_property
    def stacks(self) -> dict[str, StackTemplate]:
        """Templates by stack id."""
        return {
            path.name.removesuffix(".template.json"): StackTemplate(json.loads(path.read_text()))
            for path in sorted(self.path.glob("*.template.json"))
        }

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json."""
        manifest: dict[str, Any] = json.loads((self.path / "manifest.json").read_text())
        return manifest

    @functools.cached_property
    def validation(self) -> list[dict[str, Any]]:
        """One report per plugin: cdk-nag packs, CloudFormation Validate, annotations."""
        report = json.loads((self.path / "validation-report.json").read_text())
        reports: list[dict[str, Any]] = report["pluginReports"]
        return reports

    def findings(self, path: str) -> list[tuple[str, str]]:
        """(construct path, rule) of what is not acknowledged; each path begins with ``path``."""
        return [
            (construct["constructPath"], violation["ruleName"])
            for plugin in self.validation
            for violation in plugin["violations"]
            for construct in violation["violatingConstructs"]
            if construct["constructPath"].strip("/").startswith(path)
        ]

    @functools.cached_property
    def acknowledgements(self) -> list[tuple[str, str, str]]:
        """(construct path, rule, reason) of everything acknowledged."""
        return [
            (path.lstrip("/"), rule, reason)
            for file in sorted(self.path.glob("*.metadata.json"))
            for path, entries in json.loads(file.read_text()).items()
            for entry in entries
            if entry["type"] == "aws:cdk:acknowledged-rules"
            for rule, reason in entry["data"].items()
        ]


@functools.cache
def synthesize(profile: str) -> Assembly:
    """The whole app under cdk.json's context, once per profile and process."""
    return alone(compose, Settings.from_context({**CONTEXT, "profile": profile}))


def alone(build: Callable[..., object], *args: Any, **kwargs: Any) -> Assembly:
    """What ``build``, a function or a stack's class, puts into an app with cdk.json's context.

    Findings do not raise here, as they do for users: tests read them. The CDK deletes what was
    written when the process ends.
    """
    context = {**CONTEXT, "@aws-cdk/core:failSynthOnValidationErrors": False}
    app = cdk.App(analytics_reporting=False, context=context)
    build(app, *args, **kwargs)
    add_packs(app)
    return Assembly(Path(app.synth().directory))


def add_packs(app: cdk.App) -> None:
    """Have cdk-nag look at ``app``: here, because it would take a quarter of a user's synth."""
    cdk.Validations.of(app).add_plugins(
        cdk_nag.AwsSolutionsChecks(app), cdk_nag.ServerlessChecks(app)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
