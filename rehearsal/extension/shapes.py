"""CloudFormation's properties as the parameters of an API call."""

import json
from collections.abc import Mapping
from typing import Any


def fitted(value: Any, shape: Any) -> Any:
    """Fit a property to the botocore shape of a parameter.

    Names match whatever their case, scalars are cast, lists of tags become maps where the API has
    those, documents become the text that the API takes. What the shape does not know is left out.
    """
    match shape.type_name:
        case "structure" if isinstance(value, Mapping):
            members = {name.lower(): name for name in shape.members}
            return {
                members[name.lower()]: fitted(inner, shape.members[members[name.lower()]])
                for name, inner in value.items()
                if name.lower() in members and inner is not None
            }
        case "list":
            return [fitted(inner, shape.member) for inner in _as_list(value)]
        case "map" if isinstance(value, list):
            return {tag["Key"]: tag.get("Value", "") for tag in value}
        case "map":
            return {str(name): fitted(inner, shape.value) for name, inner in value.items()}
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "integer" | "long":
            return int(value)
        case "double" | "float":
            return float(value)
        case "string":
            return _text(value)
    return value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def call(client: Any, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Call an operation, by its Python name, with parameters fitted to it."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    fitting = fitted(parameters, model.input_shape) if model.input_shape else {}
    answer: dict[str, Any] = getattr(client, operation)(**fitting)
    return answer
