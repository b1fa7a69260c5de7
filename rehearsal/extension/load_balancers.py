"""Load balancers: what MiniStack's CloudFormation leaves out of them and its service keeps."""

from collections.abc import Mapping
from typing import Any

from rehearsal.extension import loopback
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.resource_type import Request
from rehearsal.extension.shapes import call

Condition = Mapping[str, Any]


def _register_targets(target_group: str, old: Properties, request: Request) -> None:
    targets = request.properties.get("Targets", [])
    gone = [target for target in old.get("Targets", []) if target not in targets]
    for operation, which in (("deregister_targets", gone), ("register_targets", targets)):
        if which:
            parameters = {"TargetGroupArn": target_group, "Targets": which}
            call(loopback.client("elbv2"), operation, parameters)


def _match_queries(rule: str, old: Properties, request: Request) -> None:
    """Put in words that MiniStack understands what it would answer with an error to any request."""
    conditions = request.properties["Conditions"]
    if any("QueryStringConfig" in condition for condition in conditions):
        parameters = {"RuleArn": rule, "Conditions": [_plain(each) for each in conditions]}
        call(loopback.client("elbv2"), "modify_rule", parameters)


def _plain(condition: Condition) -> Condition:
    """The condition, with the parameter of a query as text."""
    if "QueryStringConfig" not in condition:
        return condition
    values = condition["QueryStringConfig"]["Values"]
    texts = [f"{each.get('Key', '')}={each['Value']}" for each in values]
    if len(texts) > 1 or texts[0].startswith("=") or {"*", "?"} & set(texts[0]):
        raise ValueError(
            "the rehearsal's load balancer compares one parameter of a query, by its name, with "
            f"one value; it cannot do what AWS would with {values}"
        )
    return {"Field": condition["Field"], "Values": texts}


COMPLETIONS = {
    "AWS::ElasticLoadBalancingV2::ListenerRule": Completion(_match_queries),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Completion(_register_targets),
}
