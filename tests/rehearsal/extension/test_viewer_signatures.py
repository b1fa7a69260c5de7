import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from rehearsal.extension.viewer_signatures import RefusedError, Viewing, matches

HOST = "d1.cloudfront.net"
PAGE = f"https://{HOST}/private/a"
NOW = 1_800_000_000

Sign = Callable[[bytes], bytes]


def encoded(value: bytes) -> str:
    return base64.b64encode(value).translate(bytes.maketrans(b"+=/", b"-_~")).decode()


def with_rsa(digest: hashes.HashAlgorithm) -> tuple[str, Sign]:
    key = rsa.generate_private_key(65537, 2048)
    return pem(key), lambda policy: key.sign(policy, padding.PKCS1v15(), digest)


def with_ecdsa(digest: hashes.HashAlgorithm) -> tuple[str, Sign]:
    key = ec.generate_private_key(ec.SECP256R1())
    return pem(key), lambda policy: key.sign(policy, ec.ECDSA(digest))


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


KEY, SIGN = with_ecdsa(hashes.SHA256())


def canned(url: str, expires: int) -> bytes:
    return (
        f'{{"Statement":[{{"Resource":"{url}","Condition":'
        f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    ).encode()


def check(url: str = PAGE, *, key: str = KEY, **signature: str) -> None:
    given = {name.replace("_", "-"): value for name, value in signature.items()}
    Viewing(url, given).check({"K": key}, now=NOW)


def signed(policy: bytes, sign: Sign = SIGN, hashed: str = "SHA256") -> dict[str, str]:
    signature = {"Signature": encoded(sign(policy)), "Key_Pair_Id": "K"}
    return signature | ({"Hash_Algorithm": hashed} if hashed else {})


@pytest.mark.parametrize(
    ("make", "digest", "hashed"),
    [
        (with_rsa, hashes.SHA1(), ""),
        (with_rsa, hashes.SHA256(), "SHA256"),
        (with_ecdsa, hashes.SHA1(), "SHA1"),
        (with_ecdsa, hashes.SHA256(), "SHA256"),
    ],
)
def test_each_kind_of_key_and_hash_is_known(
    make: Callable[[hashes.HashAlgorithm], tuple[str, Sign]],
    digest: hashes.HashAlgorithm,
    hashed: str,
) -> None:
    key, sign = make(digest)
    signature = signed(canned(PAGE, NOW + 1), sign, hashed)

    check(key=key, Expires=str(NOW + 1), **signature)
    with pytest.raises(RefusedError):
        check(key=key, Expires=str(NOW + 2), **signature)
    with pytest.raises(RefusedError):
        check(f"{PAGE}b", key=key, Expires=str(NOW + 1), **signature)


def test_what_is_too_late_is_refused() -> None:
    with pytest.raises(RefusedError, match="AccessDenied"):
        check(Expires=str(NOW), **signed(canned(PAGE, NOW)))


def test_without_a_signature_or_with_a_key_that_is_not_trusted_nothing_is_delivered() -> None:
    with pytest.raises(RefusedError, match="MissingKey"):
        check()
    with pytest.raises(RefusedError, match="MissingKey"):
        check(**signed(canned(PAGE, NOW + 1)))
    other = signed(canned(PAGE, NOW + 1)) | {"Key_Pair_Id": "L"}
    with pytest.raises(RefusedError, match="InvalidKey"):
        check(Expires=str(NOW + 1), **other)


def policy(resource: str, **condition: Any) -> bytes:
    return json.dumps({"Statement": [{"Resource": resource, "Condition": condition}]}).encode()


BEFORE = {"AWS:EpochTime": NOW - 1}
AFTER = {"AWS:EpochTime": NOW + 1}


def test_a_policy_is_good_for_what_it_describes_while_its_conditions_hold() -> None:
    good = policy(f"https://{HOST}/private/*", DateLessThan=AFTER, DateGreaterThan=BEFORE)

    check(Policy=encoded(good), **signed(good))
    with pytest.raises(RefusedError):
        check(f"https://{HOST}/other/a", Policy=encoded(good), **signed(good))


@pytest.mark.parametrize(
    "condition",
    [
        {"DateLessThan": BEFORE},
        {"DateLessThan": AFTER, "DateGreaterThan": AFTER},
        {"DateLessThan": AFTER, "IpAddress": {"AWS:SourceIp": "192.0.2.1/32"}},
    ],
    ids=["over", "not yet", "a condition that the rehearsal does not know"],
)
def test_a_policy_whose_conditions_do_not_hold_is_refused(condition: dict[str, Any]) -> None:
    bad = policy(PAGE, **condition)

    with pytest.raises(RefusedError, match="AccessDenied"):
        check(Policy=encoded(bad), **signed(bad))


def request(query: str, **headers: str) -> Viewing:
    scope = {
        "path": "/private/a",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    return Viewing.of(scope, HOST)


def test_what_signs_a_url_is_no_part_of_it() -> None:
    seen = request("size=2&Expires=1&Signature=s&Key-Pair-Id=K", **{"x-forwarded-proto": "https"})

    assert seen.url == f"{PAGE}?size=2"
    assert seen.signature == {"Expires": "1", "Signature": "s", "Key-Pair-Id": "K"}


def test_without_a_signature_in_the_url_cookies_sign_it() -> None:
    cookie = "session=1; CloudFront-Policy=p; CloudFront-Signature=s; CloudFront-Key-Pair-Id=K"

    assert request("", cookie=cookie).signature == {
        "Policy": "p",
        "Signature": "s",
        "Key-Pair-Id": "K",
    }


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("/private/*", "/private/a/b", True),
        ("/private/*", "/private", False),
        ("/private/?", "/private/a", True),
        ("/private/?", "/private/ab", False),
        ("/a.c", "/abc", False),
        ("/page?size=2", "/page?size=2", True),
    ],
)
def test_a_star_is_anything_and_a_question_mark_any_character(
    pattern: str, text: str, expected: bool
) -> None:
    assert matches(pattern, text) is expected
