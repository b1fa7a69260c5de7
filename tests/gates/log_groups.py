"""Log groups that AWS makes by itself, on the first event, and that no stack deletes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.gates.policies import text
from tests.gates.resources import Resource, listed


def unowned_logs(everything: Sequence[Resource]) -> Iterator[str]:
    """Log groups that AWS would make on the first event, and that no stack deletes."""
    for resource in everything:
        own = [
            r for r in everything if r.type == "AWS::Logs::LogGroup" and r.stack == resource.stack
        ]
        for writes, remedy in LOGS_OF.get(resource.type, _no_logs)(resource.properties):
            if not any(_is(group, _without_stream_wildcard(writes)) for group in own):
                yield f"{resource}: logs to a log group that its stack does not delete; {remedy}"


def _is(group: Resource, written: Any) -> bool:
    """Whether a log group is what a service writes to, by reference or by name."""
    return group.is_in(written) or text(group.properties.get("LogGroupName")) == written


def _without_stream_wildcard(arn: Any) -> Any:
    """Some services want ``arn:*``, the streams of a group, instead of its ARN."""
    match arn:
        case {"Fn::Join": ["", [group, ":*"]]}:
            return group
    return arn


Destinations = Iterator[tuple[Any, str]]


def _no_logs(properties: dict[str, Any]) -> Destinations:
    yield from ()


def _function_logs(properties: dict[str, Any]) -> Destinations:
    yield (
        properties.get("LoggingConfig", {}).get("LogGroup"),
        "give the function log_group= (a provider of the CDK's own has none: do without it)",
    )


def _stage_logs(properties: dict[str, Any]) -> Destinations:
    for setting in properties.get("MethodSettings", []):
        if setting.get("LoggingLevel", "OFF") != "OFF":
            yield None, "switch execution logging off; access logs can have a log group"
    if access := properties.get("AccessLogSetting") or properties.get("AccessLogSettings"):
        yield access["DestinationArn"], "send access logs to a LogGroup of the stack"


def _flow_logs(properties: dict[str, Any]) -> Destinations:
    if properties.get("LogDestinationType", "cloud-watch-logs") == "cloud-watch-logs":
        yield (
            properties.get("LogGroupName", properties.get("LogDestination")),
            "send them to a LogGroup of the stack",
        )


def _state_machine_logs(properties: dict[str, Any]) -> Destinations:
    for destination in properties.get("LoggingConfiguration", {}).get("Destinations", []):
        yield (
            destination["CloudWatchLogsLogGroup"]["LogGroupArn"],
            "give logs= a LogGroup of the stack",
        )


def _build_logs(properties: dict[str, Any]) -> Destinations:
    logs = properties.get("LogsConfig", {}).get("CloudWatchLogs", {})
    if logs.get("Status") != "DISABLED":
        yield logs.get("GroupName"), "give logging= a LogGroup of the stack"


def _database_logs(properties: dict[str, Any]) -> Destinations:
    for export in listed(properties.get("EnableCloudwatchLogsExports", [])):
        yield None, f"do not export '{export}': RDS names that log group itself and leaves it"


def _environment_logs(properties: dict[str, Any]) -> Destinations:
    options = {
        (option["Namespace"], option["OptionName"]): option.get("Value")
        for option in properties.get("OptionSettings", [])
    }
    logs = "aws:elasticbeanstalk:cloudwatch:logs"
    streams, deletes = (options.get((logs, name)) for name in ("StreamLogs", "DeleteOnTerminate"))
    if streams == "true" and deletes != "true":
        yield None, "set the option DeleteOnTerminate: Beanstalk then deletes what it made"


def _cluster_logs(properties: dict[str, Any]) -> Destinations:
    if properties.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes"):
        name = f"/aws/eks/{text(properties.get('Name'))}/cluster"
        yield name, "name the cluster, and have a LogGroup of the name that EKS will look for"


LOGS_OF: dict[str, Callable[[dict[str, Any]], Destinations]] = {
    "AWS::ApiGateway::Stage": _stage_logs,
    "AWS::ApiGatewayV2::Stage": _stage_logs,
    "AWS::CodeBuild::Project": _build_logs,
    "AWS::EC2::FlowLog": _flow_logs,
    "AWS::EKS::Cluster": _cluster_logs,
    "AWS::ElasticBeanstalk::Environment": _environment_logs,
    "AWS::Lambda::Function": _function_logs,
    "AWS::RDS::DBCluster": _database_logs,
    "AWS::RDS::DBInstance": _database_logs,
    "AWS::Serverless::Function": _function_logs,
    "AWS::StepFunctions::StateMachine": _state_machine_logs,
}
