"""Tokens that log in by IAM: the signed address of a request that nobody sends."""

import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rehearsal.extension import ministack
from rehearsal.extension.clock import machine_time

_LONGEST_S = 900


def is_valid(
    token: str, *, service: str, resource: str, user: str, account: str, region: str
) -> bool:
    """Whether a token logs a user in, which is for a quarter of an hour at most.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

    Args:
        token: What was given in place of a password.
        service: It must be signed for, as it is called in signatures.
        resource: The name of what the user connects to.
        user: Who logs in.
        account: In which who signed must be.
        region: It must be signed for.
    """
    url, _, signature = f"http://{token}".rpartition("&X-Amz-Signature=")
    address = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(address.query).items()}
    if (address.netloc, given.get("Action"), given.get("User")) != (resource, "connect", user):
        return False
    secret = ministack.secret_of(given.get("X-Amz-Credential", "").split("/")[0], account)
    timestamp = given.get("X-Amz-Date", "")
    return (
        secret is not None
        and _is_current(timestamp, given)
        and hmac.compare_digest(signature, _signature(url, timestamp, secret, service, region))
    )


def _is_current(timestamp: str, given: dict[str, str]) -> bool:
    try:
        signed = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        lasts = int(given["X-Amz-Expires"])
    except (KeyError, ValueError):
        return False
    # Who signs goes by the machine's clock, not by the emulator's.
    return lasts <= _LONGEST_S and signed <= machine_time() + 1 < signed + lasts + 1


def _signature(url: str, timestamp: str, secret: str, service: str, region: str) -> str:
    request = AWSRequest("GET", url)
    request.context["timestamp"] = timestamp
    signer = SigV4QueryAuth(Credentials("", secret), service, region)
    signature: str = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    return signature
