"""Which keys are taken, and that nobody can sign with the one that is there by default."""

from hashlib import sha256
from itertools import count

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from patterns.validations import InvalidArgumentError
from stacks.cloudfront.keys import NOBODYS_KEY, fingerprint, refuse_key

SENTENCE = "nobody has the private half of this key"

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


def pem(key: PublicKey) -> str:
    encoded = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


def point_from(sentence: str) -> ec.EllipticCurvePublicKey:
    """The first point of P-256 whose x-coordinate is a hash of the sentence and a number.

    To know its private key, somebody would have to solve what makes the curve secure.
    """
    for number in count():
        x = sha256(f"{sentence} {number}".encode()).digest()
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x02" + x)
        except ValueError:
            continue  # half of all numbers are no x-coordinate
    raise AssertionError("numbers do not end")


def test_the_key_by_default_was_made_without_a_private_half() -> None:
    assert pem(point_from(SENTENCE)) == NOBODYS_KEY


@pytest.mark.parametrize(
    "key",
    [
        NOBODYS_KEY,
        pem(rsa.generate_private_key(65537, 2048).public_key()),
        pem(ec.generate_private_key(ec.SECP256R1()).public_key()).replace("\n", "\r\n"),
    ],
    ids=["nobody's", "RSA 2048", "P-256, from Windows"],
)
def test_what_cloudfront_takes_is_taken(key: str) -> None:
    refuse_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a key",
        NOBODYS_KEY[:-40],
        "\n".join(NOBODYS_KEY.split("\n")[:2] + NOBODYS_KEY.split("\n")[3:]),
        NOBODYS_KEY.replace("MFkw", "MFk*"),
        NOBODYS_KEY.replace("MFkw", "MFk"),
        pem(rsa.generate_private_key(65537, 1024).public_key()),
        pem(rsa.generate_private_key(65537, 4096).public_key()),
        pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
        pem(ed25519.Ed25519PrivateKey.generate().public_key()),
    ],
    ids=[
        "nothing",
        "words",
        "cut",
        "a line less",
        "no base64",
        "short",
        "RSA 1024",
        "RSA 4096",
        "P-384",
        "Ed",
    ],
)
def test_what_cloudfront_does_not_take_is_refused_in_one_line(key: str) -> None:
    with pytest.raises(InvalidArgumentError, match="no public key of RSA 2048 or ECDSA") as refused:
        refuse_key(key)

    assert "\n" not in str(refused.value)


def test_a_private_key_is_refused_and_not_repeated() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()

    with pytest.raises(InvalidArgumentError, match="is a private key") as refused:
        refuse_key(secret)
    assert not set(secret.splitlines()) & set(str(refused.value).split())


def test_the_fingerprint_is_of_the_key_and_not_of_how_it_is_written() -> None:
    other = pem(ec.generate_private_key(ec.SECP256R1()).public_key())

    assert fingerprint(NOBODYS_KEY) == fingerprint(NOBODYS_KEY.replace("\n", "\r\n"))
    assert fingerprint(NOBODYS_KEY) != fingerprint(other)
