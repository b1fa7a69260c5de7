"""Signatures, checked as CloudFront checks them: with the public key."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from stacks.cloudfront.signer import Signer

PAGE = "https://d111111abcdef8.cloudfront.net/private/a.txt"
EVERYTHING = "https://d111111abcdef8.cloudfront.net/private/*"
NEW_YEAR = 1798761600

Verify = Callable[[bytes, bytes], Any]


def with_rsa() -> tuple[Signer, Verify]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    how = padding.PKCS1v15(), hashes.SHA256()
    return (
        Signer("K2JCJMDEHXQW5F", lambda message: key.sign(message, *how)),
        lambda signature, message: key.public_key().verify(signature, message, *how),
    )


def with_ecdsa() -> tuple[Signer, Verify]:
    key = ec.generate_private_key(ec.SECP256R1())
    how = ec.ECDSA(hashes.SHA256())
    return (
        Signer("K2JCJMDEHXQW5F", lambda message: key.sign(message, how)),
        lambda signature, message: key.public_key().verify(signature, message, how),
    )


@pytest.fixture(params=[with_rsa, with_ecdsa], scope="module")
def pair(request: pytest.FixtureRequest) -> tuple[Signer, Verify]:
    made: tuple[Signer, Verify] = request.param()
    return made


@pytest.fixture
def signer(pair: tuple[Signer, Verify]) -> Signer:
    return pair[0]


@pytest.fixture
def verify(pair: tuple[Signer, Verify]) -> Verify:
    return pair[1]


def decoded(text: str) -> bytes:
    """What CloudFront reads: base64 in which three characters stand for others."""
    assert not set("+=/") & set(text)
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)


def canned(url: str, expires: int) -> bytes:
    """The policy that CloudFront builds itself, to the letter, for a URL with ``Expires``.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
    """
    return (
        f'{{"Statement":[{{"Resource":"{url}","Condition":'
        f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    ).encode()


@pytest.mark.concept("cloudfront.signed-url")
def test_a_url_is_signed_for_itself_and_for_the_time_that_it_names(
    signer: Signer, verify: Verify
) -> None:
    signed = signer.url(PAGE, expires=NEW_YEAR)

    assert signed.partition("?")[0] == PAGE
    query = dict(parse_qsl(urlsplit(signed).query))
    assert query.keys() == {"Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    assert query["Expires"] == str(NEW_YEAR)
    assert (query["Key-Pair-Id"], query["Hash-Algorithm"]) == ("K2JCJMDEHXQW5F", "SHA256")
    signature = decoded(query["Signature"])
    verify(signature, canned(PAGE, NEW_YEAR))
    for url, expires in ((PAGE.replace("a.txt", "b.txt"), NEW_YEAR), (PAGE, NEW_YEAR + 1)):
        with pytest.raises(InvalidSignature):
            verify(signature, canned(url, expires))


@pytest.mark.concept("cloudfront.signed-url")
def test_a_query_that_the_url_has_is_signed_with_it(signer: Signer, verify: Verify) -> None:
    url = f"{PAGE}?size=large&page=2"

    signed = signer.url(url, expires=NEW_YEAR)

    assert signed.startswith(f"{url}&Expires=")
    query = dict(parse_qsl(urlsplit(signed).query))
    verify(decoded(query["Signature"]), canned(url, NEW_YEAR))


@pytest.mark.concept("cloudfront.signed-url")
def test_a_url_of_many_carries_the_policy_that_is_signed(signer: Signer, verify: Verify) -> None:
    signed = signer.url_of_many(PAGE, resource=EVERYTHING, expires=NEW_YEAR)

    assert signed.partition("?")[0] == PAGE
    query = dict(parse_qsl(urlsplit(signed).query))
    assert query.keys() == {"Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    policy = decoded(query["Policy"])
    assert json.loads(policy) == {
        "Statement": [
            {
                "Resource": EVERYTHING,
                "Condition": {"DateLessThan": {"AWS:EpochTime": NEW_YEAR}},
            }
        ]
    }
    verify(decoded(query["Signature"]), policy)


@pytest.mark.concept("cloudfront.signed-cookies")
def test_cookies_carry_the_same_as_the_url_of_many(signer: Signer, verify: Verify) -> None:
    cookies = signer.cookies(EVERYTHING, expires=NEW_YEAR)

    assert cookies.keys() == {
        "CloudFront-Policy",
        "CloudFront-Signature",
        "CloudFront-Key-Pair-Id",
        "CloudFront-Hash-Algorithm",
    }
    policy = decoded(cookies["CloudFront-Policy"])
    [statement] = json.loads(policy)["Statement"]
    assert statement["Resource"] == EVERYTHING
    verify(decoded(cookies["CloudFront-Signature"]), policy)
    assert cookies["CloudFront-Key-Pair-Id"] == "K2JCJMDEHXQW5F"
    assert cookies["CloudFront-Hash-Algorithm"] == "SHA256"


def test_each_character_that_means_something_in_a_url_is_replaced_by_its_own() -> None:
    signer = Signer("K", lambda message: b"\xfb\xef\xff\xff")

    assert "CloudFront-Signature" in signer.cookies(EVERYTHING, expires=NEW_YEAR)
    signature = signer.cookies(EVERYTHING, expires=NEW_YEAR)["CloudFront-Signature"]
    # Base64 has ++///w== here.
    assert signature == "--~~~w__"
