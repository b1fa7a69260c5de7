"""Signs URLs and cookies for CloudFront, with your private key and the standard library.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-cookies.html
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# CloudFront's own alphabet: these three mean something in URLs and cookies.
ALPHABET = bytes.maketrans(b"+=/", b"-_~")


@dataclass(frozen=True)
class Signer:
    """Hands out access to private content, as long as CloudFront trusts its key.

    Args:
        key_id: CloudFront's id of the public key, which has to be in a key group that the cache
            behavior trusts.
        sign: Signs bytes with the private key, with SHA-256: RSA with PKCS #1 v1.5 padding, or
            ECDSA as DER.
    """

    key_id: str
    sign: Callable[[bytes], bytes]

    def url(self, url: str, *, expires: int) -> str:
        """A URL that is good for this one file.

        Args:
            url: With its query, if it has one. Nothing may be added to that afterwards.
            expires: Seconds since the epoch; what has begun by then may end.
        """
        return self._appended(url, {"Expires": str(expires)}, policy(url, expires=expires))

    def url_of_many(self, url: str, *, resource: str, expires: int) -> str:
        """A URL whose signature is good for other files too.

        Args:
            url: Of one of them.
            resource: All of them: a URL with ``*`` for anything, or ``?`` for any character.
            expires: Seconds since the epoch.
        """
        statement = policy(resource, expires=expires)
        return self._appended(url, {"Policy": encoded(statement)}, statement)

    def cookies(self, resource: str, *, expires: int) -> dict[str, str]:
        """Cookies that are good for all files of a resource, whose URLs stay as they are.

        Set them ``Secure`` and ``HttpOnly``, for the domain and the path that the files have.

        Args:
            resource: As for ``url_of_many``.
            expires: Seconds since the epoch. The cookies themselves should end with the session.
        """
        statement = policy(resource, expires=expires)
        parameters = {"Policy": encoded(statement), **self._signature(statement)}
        return {f"CloudFront-{name}": value for name, value in parameters.items()}

    def _appended(self, url: str, parameters: Mapping[str, str], statement: bytes) -> str:
        query = {**parameters, **self._signature(statement)}
        separator = "&" if "?" in url else "?"
        return url + separator + "&".join(f"{name}={value}" for name, value in query.items())

    def _signature(self, statement: bytes) -> dict[str, str]:
        return {
            "Signature": encoded(self.sign(statement)),
            "Key-Pair-Id": self.key_id,
            "Hash-Algorithm": "SHA256",
        }


def policy(resource: str, *, expires: int) -> bytes:
    """What is signed: which URLs, until when. CloudFront builds it anew from ``Expires``."""
    condition = {"DateLessThan": {"AWS:EpochTime": expires}}
    statement = {"Statement": [{"Resource": resource, "Condition": condition}]}
    # Without any white space, as CloudFront builds it.
    return json.dumps(statement, separators=(",", ":")).encode()


def encoded(value: bytes) -> str:
    """Base64 with CloudFront's alphabet."""
    return base64.b64encode(value).translate(ALPHABET).decode()
