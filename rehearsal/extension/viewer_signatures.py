"""CloudFront's signed URLs and signed cookies, which MiniStack's lets pass without a look.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-how-signed-urls-work.html
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from rehearsal.extension import loopback
from rehearsal.extension.asgi import Application, Message, Receive, Send

DISTRIBUTION = re.compile(r"[a-z0-9]+\.cloudfront\.net")
ALPHABET = str.maketrans("-_~", "+=/")
HASHES = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}
PARAMETERS = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")

Keys = Mapping[str, str]
"""Public keys, in PEM, by their ids."""


class RefusedError(Exception):
    """What CloudFront would not deliver, and in its words why."""


@dataclass(frozen=True)
class Viewing:
    """A request of a viewer.

    Attributes:
        url: Without what signs it.
        signature: What signs it, from the URL or else from cookies, by the names in URLs.
    """

    url: str
    signature: Mapping[str, str]

    @classmethod
    def of(cls, scope: Message, host: str) -> "Viewing":
        """Read a request to ``host``."""
        headers = _headers(scope)
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        rest = urlencode([(name, value) for name, value in query if name not in PARAMETERS])
        scheme = headers.get("x-forwarded-proto", "http")
        url = f"{scheme}://{host}{scope['path']}" + (f"?{rest}" if rest else "")
        signature = {name: value for name, value in query if name in PARAMETERS}
        return cls(url, signature if "Signature" in signature else _signing_cookies(headers))

    def check(self, keys: Keys, *, now: float) -> None:
        """Make sure that one of the keys signed for this, now.

        Raises:
            RefusedError: None did.
        """
        if not {"Signature", "Key-Pair-Id"} <= self.signature.keys():
            raise RefusedError("MissingKey")
        if self.signature["Key-Pair-Id"] not in keys:
            raise RefusedError("InvalidKey")
        policy = self._policy()
        self._verify(keys[self.signature["Key-Pair-Id"]], policy)
        [statement] = json.loads(policy)["Statement"]
        if not matches(statement["Resource"], self.url):
            raise RefusedError("AccessDenied")
        for condition, limits in statement["Condition"].items():
            match condition, limits:
                case "DateLessThan", {"AWS:EpochTime": end} if now < int(end):
                    continue
                case "DateGreaterThan", {"AWS:EpochTime": begin} if now > int(begin):
                    continue
            raise RefusedError("AccessDenied")

    def _policy(self) -> bytes:
        if "Policy" in self.signature:
            return _decoded(self.signature["Policy"])
        end = self.signature.get("Expires", "")
        if not end.isdigit():
            raise RefusedError("MissingKey")
        condition = {"DateLessThan": {"AWS:EpochTime": int(end)}}
        canned = {"Statement": [{"Resource": self.url, "Condition": condition}]}
        return json.dumps(canned, separators=(",", ":")).encode()

    def _verify(self, pem: str, policy: bytes) -> None:
        key = load_pem_public_key(pem.encode())
        digest = HASHES[self.signature.get("Hash-Algorithm", "SHA1")]()
        signature = _decoded(self.signature["Signature"])
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, policy, padding.PKCS1v15(), digest)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, policy, ec.ECDSA(digest))
        except InvalidSignature:
            raise RefusedError("AccessDenied") from None


def checking_signatures(app: Application) -> Application:
    """Have the distributions of ``app`` deliver private content to who has it signed only."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        host = _headers(scope).get("host", "") if scope["type"] == "http" else ""
        if DISTRIBUTION.fullmatch(host):
            # These are calls to this very server, which has to be free to answer them.
            keys = await asyncio.to_thread(trusted_keys, host, scope["path"])
            if keys is not None:
                try:
                    Viewing.of(scope, host).check(keys, now=time.time())
                except (RefusedError, ValueError, KeyError) as error:
                    await _refuse(send, str(error))
                    return
        await app(scope, receive, send)

    return wrapped


def trusted_keys(domain_name: str, path: str) -> Keys | None:
    """The keys that may sign for a path of a distribution; None if it is not private."""
    cloudfront = loopback.client("cloudfront")
    distributions = cloudfront.list_distributions()["DistributionList"].get("Items", [])
    for distribution in distributions:
        if distribution["DomainName"] == domain_name:
            config = cloudfront.get_distribution_config(Id=distribution["Id"])
            groups = _behavior(config["DistributionConfig"], path).get("TrustedKeyGroups", {})
            if groups.get("Items"):
                return {
                    key: cloudfront.get_public_key(Id=key)["PublicKey"]["PublicKeyConfig"][
                        "EncodedKey"
                    ]
                    for group in groups["Items"]
                    for key in cloudfront.get_key_group_config(Id=group)["KeyGroupConfig"]["Items"]
                }
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern with ``*`` and ``?`` describes all of a text."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    # A question mark begins the query of a URL as well.
    return pattern == text or bool(re.fullmatch(expression, text))


def _behavior(config: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for behavior in config.get("CacheBehaviors", {}).get("Items", []):
        pattern: str = behavior["PathPattern"]
        if matches(f"/{pattern.removeprefix('/')}", path):
            return dict(behavior)
    return dict(config["DefaultCacheBehavior"])


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in scope["headers"]}


def _signing_cookies(headers: Mapping[str, str]) -> dict[str, str]:
    cookies = (each.partition("=") for each in headers.get("cookie", "").split("; "))
    return {
        name.removeprefix("CloudFront-"): value
        for name, _, value in cookies
        if name.startswith("CloudFront-")
    }


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.translate(ALPHABET), validate=True)


async def _refuse(send: Send, why: str) -> None:
    headers = [(b"content-type", b"text/xml"), (b"x-cache", b"Error from cloudfront")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    body = f"<Error><Code>{why}</Code></Error>".encode()
    await send({"type": "http.response.body", "body": body})
