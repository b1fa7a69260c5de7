"""See the CDN work: ``make rehearse BLUEPRINT=cloudfront``, or ``make exercise`` once on AWS."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal.fixtures import Answer, Client, Eventually, Fetch, Target
from stacks.cloudfront.signer import Signer

Outputs = dict[str, str]
Browse = Callable[..., Answer]
Publish = Callable[..., str]

# Until every edge location knows what CloudFront was told.
KNOWN_WITHIN_S = {"aws": 900, "rehearsal": 10}

pytestmark = pytest.mark.timeout(2 * KNOWN_WITHIN_S["aws"])


@pytest.fixture
def browse(fetch: Fetch, outputs: Outputs) -> Browse:
    """Get what is at a path of the distribution."""

    def get(path: str, **headers: str) -> Answer:
        return fetch(
            f"https://{outputs['DomainName']}{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return get


@pytest.fixture
def publish(client: Client, outputs: Outputs) -> Iterator[Publish]:
    """Put a page into the bucket, for the length of a test, and return its path."""
    s3, paths = client("s3"), []

    def put(path: str, text: str = "a page") -> str:
        paths.append(path)
        s3.put_object(Bucket=outputs["SiteName"], Key=path.lstrip("/"), Body=text.encode())
        return path

    yield put
    for path in paths:
        s3.delete_object(Bucket=outputs["SiteName"], Key=path.lstrip("/"))


@pytest.fixture
def known_within(target: Target) -> float:
    """How long it may take until a new key is trusted everywhere, in seconds."""
    return KNOWN_WITHIN_S[target]


@pytest.fixture(scope="module")
def signer(client: Client, outputs: Outputs) -> Iterator[Signer]:
    """Signs with a key that the readers' group trusts until the exercise ends."""
    cloudfront, group = client("cloudfront"), outputs["ReadersId"]
    private_key = ec.generate_private_key(ec.SECP256R1())
    public_key = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name = f"exercise-{uuid4().hex[:8]}"
    key_id = cloudfront.create_public_key(
        PublicKeyConfig={"CallerReference": name, "Name": name, "EncodedKey": public_key.decode()}
    )["PublicKey"]["Id"]
    before = cloudfront.get_key_group_config(Id=group)["KeyGroupConfig"]

    def trust(keys: list[str]) -> None:
        seen = cloudfront.get_key_group(Id=group)["ETag"]
        config = {**before, "Items": keys}
        cloudfront.update_key_group(Id=group, IfMatch=seen, KeyGroupConfig=config)

    trust([*before["Items"], key_id])
    yield Signer(key_id, lambda message: private_key.sign(message, ec.ECDSA(hashes.SHA256())))
    trust(before["Items"])
    seen = cloudfront.get_public_key(Id=key_id)["ETag"]
    cloudfront.delete_public_key(Id=key_id, IfMatch=seen)


def new_page(below: str = "", name: str = "page.html") -> str:
    """A path that no other run has used, so that no cache knows it."""
    return f"{below}/{uuid4().hex}/{name}"


def in_an_hour() -> int:
    """Seconds since the epoch."""
    return int(time.time()) + 3600


def found_in_cache(answer: Answer) -> bool:
    """Whether CloudFront had the answer already."""
    assert answer.status == 200
    return str(answer.headers["x-cache"]).startswith("Hit")


def cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def test_who_comes_without_tls_is_sent_to_https(fetch: Fetch, outputs: Outputs) -> None:
    answer = fetch(f"http://{outputs['DomainName']}/guide")

    assert answer.status == 301
    assert answer.headers["location"] == f"https://{outputs['DomainName']}/guide"


@pytest.mark.aws_only
@pytest.mark.concept("cloudfront.cdn")
def test_a_second_reader_gets_the_page_from_the_cache_of_an_edge_location(
    publish: Publish, browse: Browse
) -> None:
    page = publish(new_page())

    assert not found_in_cache(browse(page))
    answer = browse(page)
    assert found_in_cache(answer)
    assert answer.headers["x-amz-cf-pop"]


@pytest.mark.concept("cloudfront.origin-s3")
@pytest.mark.usefixtures("policies_enforced")
def test_the_bucket_answers_the_distribution_and_nobody_else(
    client: Client, outputs: Outputs, publish: Publish, browse: Browse, fetch: Fetch
) -> None:
    page = publish(new_page(), "for everybody")

    assert browse(page).body == "for everybody"
    direct = client("s3").generate_presigned_url(
        "get_object", {"Bucket": outputs["SiteName"], "Key": page.lstrip("/")}
    )
    assert fetch(direct).status == 200
    assert fetch(direct.partition("?")[0]).status == 403, "without a signature"


@pytest.mark.concept("lambda.at-edge")
@pytest.mark.usefixtures("policies_enforced")
def test_a_function_at_the_edge_finds_the_page_of_a_directory(
    publish: Publish, browse: Browse
) -> None:
    directory = publish(new_page(name="index.html"), "all of it").removesuffix("/index.html")

    assert browse(directory).body == "all of it"
    assert browse(f"{directory}/").body == "all of it"


@pytest.mark.concept("cloudfront.origin-http")
def test_what_is_below_api_comes_from_an_http_server_and_is_never_cached(
    browse: Browse,
) -> None:
    first, second = (json.loads(browse("/api/time").body)["nanoseconds"] for _ in range(2))

    assert int(first) < int(second)


@pytest.mark.aws_only
@pytest.mark.concept("cloudfront.origin-http")
def test_the_http_server_refuses_who_does_not_come_by_the_distribution(
    fetch: Fetch, outputs: Outputs
) -> None:
    assert fetch(f"{outputs['CatalogUrl']}api/time").status == 403


@pytest.mark.concept(
    "cloudfront.cache-key-headers",
    "cloudfront.cache-key-cookies",
    "cloudfront.cache-key-query-strings",
)
def test_only_what_is_in_the_cache_key_reaches_the_origin(browse: Browse) -> None:
    answer = browse(
        f"{new_page('/catalog')}?size=large&utm=mail",
        Accept_Language="de",
        X_Mood="good",
        Cookie="currency=EUR; session=secret",
    )

    shown = json.loads(answer.body)
    assert (shown["language"], shown["currency"], shown["size"]) == ("de", "EUR", "large")
    assert shown["received"]["cookies"] == {"currency": "EUR"}
    assert shown["received"]["query"] == {"size": "large"}
    assert "x-mood" not in shown["received"]["headers"]


@pytest.mark.aws_only
@pytest.mark.concept("cloudfront.cache-key-headers")
def test_each_language_is_cached_apart(browse: Browse) -> None:
    page = new_page("/catalog")

    languages = [("de", False), ("de", True), ("fr", False), ("fr", True)]
    for language, cached in languages:
        assert found_in_cache(browse(page, Accept_Language=language)) is cached
    assert found_in_cache(browse(page, Accept_Language="de", X_Mood="good"))


@pytest.mark.aws_only
@pytest.mark.concept("cloudfront.cache-key-cookies")
def test_only_the_cookie_in_the_cache_key_makes_a_difference(browse: Browse) -> None:
    page = new_page("/catalog")

    assert not found_in_cache(browse(page, Cookie="currency=EUR; session=1"))
    assert found_in_cache(browse(page, Cookie="currency=EUR; session=2"))
    assert not found_in_cache(browse(page, Cookie="currency=CHF; session=2"))


@pytest.mark.aws_only
@pytest.mark.concept("cloudfront.cache-key-query-strings")
def test_only_the_parameter_in_the_cache_key_makes_a_difference(browse: Browse) -> None:
    page = new_page("/catalog")

    assert not found_in_cache(browse(f"{page}?size=large&utm=mail"))
    assert found_in_cache(browse(f"{page}?size=large&utm=search"))
    assert not found_in_cache(browse(f"{page}?size=small&utm=search"))


@pytest.mark.concept("cloudfront.signed-url")
@pytest.mark.usefixtures("policies_enforced")
def test_a_signed_url_is_good_for_its_file_until_it_expires(
    signer: Signer,
    publish: Publish,
    fetch: Fetch,
    browse: Browse,
    outputs: Outputs,
    eventually: Eventually,
    known_within: float,
) -> None:
    page, other = (publish(new_page("/private")) for _ in range(2))
    url, expires = f"https://{outputs['DomainName']}{page}", in_an_hour()
    signed = signer.url(url, expires=expires)

    eventually(lambda: fetch(signed).status == 200, within=known_within)
    assert browse(page).status == 403, "not signed"
    assert fetch(signed.replace(page, other)).status == 403, "signed for another file"
    assert fetch(signed.replace(str(expires), str(expires + 1))).status == 403, "signed for less"
    assert fetch(signer.url(url, expires=int(time.time()) - 1)).status == 403, "too late"


@pytest.mark.concept("cloudfront.signed-url")
@pytest.mark.usefixtures("policies_enforced")
def test_one_signature_is_good_for_all_files_that_its_policy_names(
    signer: Signer,
    publish: Publish,
    fetch: Fetch,
    outputs: Outputs,
    eventually: Eventually,
    known_within: float,
) -> None:
    site = f"https://{outputs['DomainName']}"
    page, other = (publish(new_page("/private")) for _ in range(2))
    signed = signer.url_of_many(f"{site}{page}", resource=f"{site}/private/*", expires=in_an_hour())

    eventually(lambda: fetch(signed).status == 200, within=known_within)
    assert fetch(signed.replace(page, other)).status == 200


@pytest.mark.concept("cloudfront.signed-cookies")
@pytest.mark.usefixtures("policies_enforced")
def test_signed_cookies_open_several_files_whose_urls_stay_as_they_are(
    signer: Signer,
    publish: Publish,
    browse: Browse,
    outputs: Outputs,
    eventually: Eventually,
    known_within: float,
) -> None:
    pages = [publish(new_page("/private")) for _ in range(2)]
    cookies = cookie_header(
        signer.cookies(f"https://{outputs['DomainName']}/private/*", expires=in_an_hour())
    )

    eventually(lambda: browse(pages[0], Cookie=cookies).status == 200, within=known_within)
    assert browse(pages[1], Cookie=cookies).status == 200
    assert [browse(page).status for page in pages] == [403, 403]


@pytest.mark.aws_only
@pytest.mark.concept("lambda.at-edge")
def test_a_function_before_the_origin_chooses_the_page_in_the_readers_language(
    outputs: Outputs, publish: Publish, browse: Browse
) -> None:
    if outputs["NegotiateLanguage"] == "false":
        pytest.skip("deployed without Lambda@Edge; README.md says how to switch it on")
    page = publish(new_page(), "good morning")
    publish(f"/de{page}", "guten Morgen")

    assert browse(page, Accept_Language="de-CH, en;q=0.5").body == "guten Morgen"
    assert browse(page, Accept_Language="en").body == "good morning"
