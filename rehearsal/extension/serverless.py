"""Lambda, API Gateway, Step Functions, SNS, Kinesis: what MiniStack's CloudFormation leaves out."""

from rehearsal.extension import loopback
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.emulated import Emulated
from rehearsal.extension.resource_type import Request, ResourceType
from rehearsal.extension.settings import Setting, kept
from rehearsal.extension.shapes import call


def _method_validator(physical_id: str, old: Properties, request: Request) -> None:
    given = request.properties
    if given.get("RequestValidatorId") != old.get("RequestValidatorId"):
        loopback.client("apigateway").update_method(
            restApiId=given["RestApiId"],
            resourceId=given["ResourceId"],
            httpMethod=given["HttpMethod"],
            patchOperations=[
                {
                    "op": "replace",
                    "path": "/requestValidatorId",
                    "value": given.get("RequestValidatorId", ""),
                }
            ],
        )


def _change_validator(physical_id: str, old: Properties, request: Request) -> None:
    given = request.properties
    loopback.client("apigateway").update_request_validator(
        restApiId=given["RestApiId"],
        requestValidatorId=physical_id,
        patchOperations=[
            {
                "op": "replace",
                "path": f"/{name[0].lower()}{name[1:]}",
                "value": str(given.get(name, False)).lower(),
            }
            for name in ("ValidateRequestBody", "ValidateRequestParameters")
        ],
    )


def _routing(request: Request) -> Properties:
    given = request.properties
    # A deployment preference names one version, to which all traffic goes in the end.
    routes = given.get("RoutingConfiguration") or [
        {"StateMachineVersionArn": given["DeploymentPreference"]["StateMachineVersionArn"]}
    ]
    return {
        "routingConfiguration": [
            {
                "stateMachineVersionArn": route["StateMachineVersionArn"],
                "weight": route.get("Weight", 100),
            }
            for route in routes
        ]
    }


def _change_alias(physical_id: str, old: Properties, request: Request) -> None:
    call(
        loopback.client("stepfunctions"),
        "update_state_machine_alias",
        {
            "stateMachineAliasArn": physical_id,
            "description": request.properties.get("Description", ""),
            **_routing(request),
        },
    )


_FUNCTION = kept(
    "lambda",
    Setting(
        "ReservedConcurrentExecutions",
        "put_function_concurrency",
        lambda name, reserved: {"FunctionName": name, "ReservedConcurrentExecutions": reserved},
        remove="delete_function_concurrency",
        removed=lambda name: {"FunctionName": name},
    ),
    Setting(
        "DeadLetterConfig",
        "update_function_configuration",
        lambda name, dead_letters: {"FunctionName": name, "DeadLetterConfig": dead_letters},
        default={"TargetArn": ""},
    ),
)


def _function(name: str, old: Properties, request: Request) -> None:
    _FUNCTION.finish(name, old, request)
    # Whoever publishes a version of a function that is being changed publishes the old one.
    loopback.client("lambda").get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
    )


COMPLETIONS = {
    "AWS::Lambda::Function": Completion(_function),
    "AWS::Lambda::EventSourceMapping": kept(
        "lambda",
        Setting(
            "Enabled",
            "update_event_source_mapping",
            lambda mapping, enabled: {"UUID": mapping, "Enabled": enabled},
            default=True,
        ),
    ),
    "AWS::Kinesis::Stream": kept(
        "kinesis",
        Setting(
            "StreamEncryption",
            "start_stream_encryption",
            lambda stream, encryption: {"StreamName": stream, **encryption},
            remove="stop_stream_encryption",
            removed=lambda stream: {
                "StreamName": stream,
                "EncryptionType": "KMS",
                "KeyId": "alias/aws/kinesis",
            },
        ),
    ),
    "AWS::SNS::Topic": kept(
        "sns",
        Setting(
            "KmsMasterKeyId",
            "set_topic_attributes",
            lambda topic, key: {
                "TopicArn": topic,
                "AttributeName": "KmsMasterKeyId",
                "AttributeValue": key,
            },
            default="",
        ),
    ),
    "AWS::StepFunctions::StateMachine": kept(
        "stepfunctions",
        Setting(
            "LoggingConfiguration",
            "update_state_machine",
            lambda arn, logging: {"stateMachineArn": arn, "loggingConfiguration": logging},
            default={"Level": "OFF"},
        ),
    ),
    "AWS::ApiGateway::Method": Completion(_method_validator),
}

EMULATED: dict[str, ResourceType] = {
    # MiniStack's own one exists in CloudFormation only, and validates nothing.
    "AWS::ApiGateway::RequestValidator": Emulated(
        service="apigateway",
        create_operation="create_request_validator",
        identifier="Answer.id",
        attributes={"RequestValidatorId": "Answer.id"},
        change=_change_validator,
        delete_operation="delete_request_validator",
        delete_parameters={"restApiId": "Properties.RestApiId", "requestValidatorId": "Id"},
    ),
    "AWS::Kinesis::StreamConsumer": Emulated(
        service="kinesis",
        create_operation="register_stream_consumer",
        identifier="Answer.Consumer.ConsumerARN",
        attributes={
            "ConsumerARN": "Answer.Consumer.ConsumerARN",
            "ConsumerStatus": "Answer.Consumer.ConsumerStatus",
        },
        delete_operation="deregister_stream_consumer",
        delete_parameters={"ConsumerARN": "Id"},
    ),
    "AWS::StepFunctions::StateMachineVersion": Emulated(
        service="stepfunctions",
        create_operation="publish_state_machine_version",
        identifier="Answer.stateMachineVersionArn",
        attributes={"Arn": "Answer.stateMachineVersionArn"},
        # The revision id asks for this revision; CloudFormation's may be older than the latest.
        renamed={"StateMachineRevisionId": ""},
        delete_operation="delete_state_machine_version",
        delete_parameters={"stateMachineVersionArn": "Id"},
    ),
    "AWS::StepFunctions::StateMachineAlias": Emulated(
        service="stepfunctions",
        create_operation="create_state_machine_alias",
        identifier="Answer.stateMachineAliasArn",
        attributes={"Arn": "Answer.stateMachineAliasArn"},
        named_by="Name",
        renamed={"RoutingConfiguration": ""},
        parameters=_routing,
        change=_change_alias,
        delete_operation="delete_state_machine_alias",
        delete_parameters={"stateMachineAliasArn": "Id"},
    ),
}
