"""CloudFront's public keys and the groups of them that cache behaviors trust."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from rehearsal.extension import loopback
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Request, ResourceType
from rehearsal.extension.shapes import call


@dataclass(frozen=True)
class _WithETag(Emulated):
    """What CloudFront changes or deletes only for who has seen it as it is now.

    Args:
        kind: As in the names of its operations: ``create_<kind>``.
    """

    kind: str = ""

    def delete(self, physical_id: str, properties: Properties) -> None:
        try:
            _call_with_etag(f"delete_{self.kind}", self.kind, physical_id, {})
        except ClientError as error:
            if not loopback.is_gone(error):
                raise
        super().delete(physical_id, properties)


def _call_with_etag(operation: str, kind: str, physical_id: str, more: Properties) -> None:
    cloudfront = loopback.client("cloudfront")
    seen = call(cloudfront, f"get_{kind}", {"Id": physical_id})["ETag"]
    call(cloudfront, operation, {**more, "Id": physical_id, "IfMatch": seen})


def _with_etag(kind: str, answer: str) -> _WithETag:
    def change(physical_id: str, old: Properties, request: Request) -> None:
        _call_with_etag(f"update_{kind}", kind, physical_id, request.properties)

    return _WithETag(
        service="cloudfront",
        kind=kind,
        create_operation=f"create_{kind}",
        identifier=f"Answer.{answer}.Id",
        attributes={
            "Id": f"Answer.{answer}.Id",
            "LastModifiedTime": f"Answer.{answer}.LastModifiedTime",
            "CreatedTime": f"Answer.{answer}.CreatedTime",
        },
        change=change,
    )


EMULATED: dict[str, ResourceType] = {
    "AWS::CloudFront::PublicKey": _with_etag("public_key", "PublicKey"),
    "AWS::CloudFront::KeyGroup": _with_etag("key_group", "KeyGroup"),
}
