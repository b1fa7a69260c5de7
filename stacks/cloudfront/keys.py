"""The public keys that CloudFront checks signatures with."""

import base64
import binascii
import re
from hashlib import sha256

from patterns.validations import InvalidArgumentError

# Nobody can sign with it: test_keys.py derives it from a sentence, without a private half.
NOBODYS_KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpkYHtCAVCWQk6cQHUDGrUDtgzNIb
0nf7PeEh8WNq8S+avSOPL8yY3gGsa2E3fEk8FnC/8uWC0SVdEYJt6VQhxA==
-----END PUBLIC KEY-----
"""

# What CloudFront takes, by how long the key is and what it begins with (RFC 5280, 4.1.2.7):
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html
RSA_2048 = 294, bytes.fromhex("30820122300d06092a864886f70d01010105000382010f00")
ECDSA_P256 = 91, bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")


def refuse_key(given: str) -> None:
    """Refuse what CloudFront would not check signatures with.

    Raises:
        InvalidArgumentError: Unless it is a public key, in PEM, of RSA with 2048 bits or of ECDSA
            on the curve P-256. The message does not repeat what was given: it may be a secret.
    """
    if "PRIVATE KEY" in given:
        raise InvalidArgumentError(
            "public_key is a private key, which must stay with who signs; give its public half: "
            "openssl pkey -pubout -in private.pem"
        )
    key = _decoded(given)
    if not any(
        len(key) == length and key.startswith(begin) for length, begin in (RSA_2048, ECDSA_P256)
    ):
        raise InvalidArgumentError(
            f"public_key, of {len(given)} characters, is no public key of RSA 2048 or ECDSA P-256 "
            "in PEM; give one that begins with -----BEGIN PUBLIC KEY-----"
        )


def fingerprint(public_key: str) -> str:
    """A short name of a key, which another key does not have."""
    return sha256(_decoded(public_key)).hexdigest()[:8]


def _decoded(pem: str) -> bytes:
    match = PEM.fullmatch(pem)
    try:
        return base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        return b""
