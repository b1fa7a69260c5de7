"""See the buckets work: ``make rehearse BLUEPRINT=s3``, or ``make exercise`` once on AWS."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Fetch, Target, Wait

# S3 takes minutes to replicate: most objects within 15.
COPIED_WITHIN_S = {"aws": 1800, "rehearsal": 10}

pytestmark = [
    pytest.mark.usefixtures("policies_enforced"),
    pytest.mark.timeout(3 * COPIED_WITHIN_S["aws"]),
]

# Of the Common Crawl Foundation, so nobody else's: https://registry.opendata.aws/commoncrawl/
SOMEBODY_ELSES_BUCKET = "commoncrawl"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#specifying-grantee
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"

Outputs = dict[str, str]
Act = Callable[[str], Any]


class Bucket:
    """A deployed bucket."""

    def __init__(self, s3: Any, name: str) -> None:
        """Act on the bucket called ``name`` with the client ``s3``."""
        self.s3, self.name = s3, name

    def put(self, key: str, text: str, **options: Any) -> str | None:
        """Store text, and return its version."""
        answer = self.s3.put_object(Bucket=self.name, Key=key, Body=text.encode(), **options)
        version: str | None = answer.get("VersionId")
        return version

    def get(self, key: str, **options: Any) -> str:
        """Return stored text."""
        answer = self.s3.get_object(Bucket=self.name, Key=key, **options)
        return str(answer["Body"].read().decode())

    def delete(self, key: str) -> None:
        """Delete what is there now; versions stay."""
        self.s3.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str, **options: Any) -> list[str]:
        """The keys that begin with ``prefix``, and what they have in common up to a delimiter."""
        answer = self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix, **options)
        shared = [each["Prefix"] for each in answer.get("CommonPrefixes", [])]
        return shared + [each["Key"] for each in answer.get("Contents", [])]

    def head(self, key: str, **options: Any) -> dict[str, Any] | None:
        """What S3 tells about an object, None if there is none."""
        try:
            head: dict[str, Any] = self.s3.head_object(Bucket=self.name, Key=key, **options)
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return None
            raise
        return head

    def versions(self, prefix: str) -> list[dict[str, Any]]:
        """Every version and delete marker of the keys that begin with ``prefix``."""
        answer = self.s3.list_object_versions(Bucket=self.name, Prefix=prefix)
        markers = [each | {"Marker": True} for each in answer.get("DeleteMarkers", [])]
        return markers + list(answer.get("Versions", []))

    def is_copying(self, prefix: str) -> bool:
        """Whether S3 still has to replicate one of these versions."""
        heads = [
            self.head(each["Key"], VersionId=each["VersionId"])
            for each in self.versions(prefix)
            if "Marker" not in each
        ]
        return any(head and head.get("ReplicationStatus") == "PENDING" for head in heads)

    def erase(self, prefix: str) -> None:
        """Delete every version and marker of the keys that begin with ``prefix``."""
        for each in self.versions(prefix):
            self.s3.delete_object(Bucket=self.name, Key=each["Key"], VersionId=each["VersionId"])


@pytest.fixture
def media(client: Client, outputs: Outputs) -> Bucket:
    """The bucket of films and drafts."""
    return Bucket(client("s3"), outputs["MediaName"])


@pytest.fixture
def copies(client: Client, outputs: Outputs) -> Bucket:
    """Where films are copied to, in the same region."""
    return Bucket(client("s3"), outputs["CopiesName"])


@pytest.fixture
def replica(client: Client, outputs: Outputs) -> Bucket | None:
    """Where films are copied to in another region, if they are."""
    if "ReplicaName" not in outputs:
        return None
    return Bucket(client("s3", region_name=outputs["ReplicaRegion"]), outputs["ReplicaName"])


@pytest.fixture
def inbox(client: Client, outputs: Outputs) -> Bucket:
    """The bucket with ACLs."""
    return Bucket(client("s3"), outputs["InboxName"])


@pytest.fixture
def copied_within(target: Target) -> float:
    """How long it may take until a film is copied, in seconds."""
    return COPIED_WITHIN_S[target]


@pytest.fixture
def film(
    media: Bucket,
    copies: Bucket,
    replica: Bucket | None,
    eventually: Eventually,
    copied_within: float,
) -> Iterator[str]:
    """The key of a film that no other run has used."""
    key = f"films/{uuid4().hex}"
    yield key
    # What is copied after its copies were erased would stay.
    eventually(lambda: not media.is_copying(key), within=copied_within)
    for bucket in (media, copies, *([replica] if replica else [])):
        bucket.erase(key)


@pytest.fixture
def draft(media: Bucket) -> Iterator[str]:
    """The key of a draft that no other run has used."""
    key = f"drafts/{uuid4().hex}"
    yield key
    media.erase(key)


@pytest.fixture
def letter(inbox: Bucket) -> Iterator[str]:
    """The key of an object in the bucket with ACLs."""
    key = uuid4().hex
    yield key
    inbox.erase(key)


@pytest.fixture
def act_as(client: Client, outputs: Outputs) -> Act:
    """Assume the role of an output, and act on the bucket of films and drafts."""

    def act(role: str) -> Bucket:
        credentials = client("sts").assume_role(
            RoleArn=outputs[role], RoleSessionName="exercise", DurationSeconds=900
        )["Credentials"]
        s3 = client(
            "s3",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        return Bucket(s3, outputs["MediaName"])

    return act


@pytest.fixture
def changes(client: Client, outputs: Outputs) -> Callable[[str], list[str]]:
    """What the queue has told of a key by now, in the order it happened."""
    sqs, url = client("sqs"), outputs["ChangesUrl"]
    told: list[dict[str, Any]] = []

    def read(key: str) -> list[str]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            # S3 also tells the queue once that it will be told.
            told.extend(json.loads(message["Body"]).get("Records", []))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        ours = [event for event in told if event["s3"]["object"]["key"] == key]
        ours.sort(key=lambda event: event["s3"]["object"]["sequencer"])
        return [event["eventName"] for event in ours]

    return read


def denied() -> Any:
    """What a policy does not allow raises this."""
    return pytest.raises(ClientError, match="AccessDenied")


@pytest.mark.aws_only
@pytest.mark.concept("s3.bucket-names")
def test_a_bucket_name_that_somebody_has_is_taken_for_everybody(client: Client) -> None:
    with pytest.raises(ClientError, match="BucketAlreadyExists"):
        client("s3", region_name="us-east-1").create_bucket(Bucket=SOMEBODY_ELSES_BUCKET)


@pytest.mark.concept("s3.bucket-names")
def test_a_name_in_the_namespace_of_account_and_region_ends_with_them(
    client: Client, outputs: Outputs
) -> None:
    account = client("sts").get_caller_identity()["Account"]
    region = client("s3").meta.region_name

    assert outputs["MediaName"].endswith(f"-{account}-{region}-an")
    assert not outputs["CopiesName"].endswith("-an")


@pytest.mark.concept("s3.key-not-folder")
def test_folders_are_only_seen_in_listings(media: Bucket, draft: str) -> None:
    media.put(f"{draft}/scenes/1", "a scene")

    assert media.keys(f"{draft}/", Delimiter="/") == [f"{draft}/scenes/"]
    assert media.keys(f"{draft}/") == [f"{draft}/scenes/1"]
    assert not media.head(f"{draft}/scenes/")

    media.delete(f"{draft}/scenes/1")
    assert media.keys(f"{draft}/", Delimiter="/") == []


@pytest.mark.concept("s3.iam-policy")
def test_the_viewer_may_read_and_list_films_and_nothing_else(
    media: Bucket, film: str, draft: str, act_as: Act
) -> None:
    for key in (film, draft):
        media.put(key, "a video")
    viewer = act_as("ViewerArn")

    assert viewer.get(film) == "a video"
    assert viewer.keys(film) == [film]
    with denied():
        viewer.get(draft)
    with denied():
        viewer.keys("")
    with denied():
        viewer.put(film, "another video")


@pytest.mark.concept("s3.bucket-policy")
def test_the_editor_has_no_policy_and_yet_may_write_drafts_because_the_bucket_says_so(
    client: Client, outputs: Outputs, media: Bucket, film: str, draft: str, act_as: Act
) -> None:
    iam, role = client("iam"), outputs["EditorArn"].rpartition("/")[2]
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    media.put(film, "a film")
    editor = act_as("EditorArn")

    editor.put(draft, "a draft")
    assert editor.get(draft) == "a draft"
    with denied():
        editor.get(film)
    with denied():
        editor.put(film, "another film")


@pytest.mark.aws_only
@pytest.mark.concept("s3.bucket-policy")
def test_without_tls_the_bucket_policy_denies_everybody(
    client: Client, outputs: Outputs, media: Bucket, draft: str
) -> None:
    media.put(draft, "a draft")

    with denied():
        Bucket(client("s3", use_ssl=False), outputs["MediaName"]).get(draft)


@pytest.mark.concept("s3.acl")
def test_a_bucket_refuses_acls_unless_told_to_have_them(
    media: Bucket, inbox: Bucket, draft: str, letter: str
) -> None:
    readers = {"GrantRead": f'uri="{LOG_DELIVERY}"'}
    media.put(draft, "a draft")
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        media.s3.put_object_acl(Bucket=media.name, Key=draft, **readers)

    inbox.put(letter, "a letter")
    inbox.s3.put_object_acl(Bucket=inbox.name, Key=letter, **readers)
    grants = inbox.s3.get_object_acl(Bucket=inbox.name, Key=letter)["Grants"]
    assert [(each["Grantee"]["URI"], each["Permission"]) for each in grants] == [
        (LOG_DELIVERY, "READ")
    ]


@pytest.mark.concept("s3.acl")
def test_not_even_there_does_an_acl_let_everybody_in(inbox: Bucket, letter: str) -> None:
    inbox.put(letter, "a letter")

    with denied():
        inbox.s3.put_object_acl(Bucket=inbox.name, Key=letter, ACL="public-read")


@pytest.mark.concept("s3.versioning")
def test_what_was_overwritten_and_deleted_is_still_there(media: Bucket, draft: str) -> None:
    first = media.put(draft, "first")
    second = media.put(draft, "second")
    media.delete(draft)

    assert not media.head(draft)
    newest, *older = sorted(
        media.versions(draft), key=lambda each: each["LastModified"], reverse=True
    )
    assert newest.get("Marker")
    assert {each["VersionId"] for each in older} == {first, second}
    assert media.get(draft, VersionId=first) == "first"


@pytest.mark.concept("s3.replication-same-region")
def test_films_are_copied_and_drafts_are_not(
    media: Bucket,
    copies: Bucket,
    film: str,
    draft: str,
    eventually: Eventually,
    copied_within: float,
) -> None:
    media.put(draft, "a draft")
    media.put(film, "a film")

    copy = eventually(lambda: copies.head(film), within=copied_within)
    assert copy["ReplicationStatus"] == "REPLICA"
    assert copies.get(film) == "a film"
    eventually(
        lambda: (media.head(film) or {})["ReplicationStatus"] == "COMPLETED", within=copied_within
    )
    assert "ReplicationStatus" not in (media.head(draft) or {})
    assert not copies.head(draft)


@pytest.mark.concept("s3.replication-same-region")
def test_a_film_that_is_deleted_stays_among_the_copies(
    media: Bucket, copies: Bucket, film: str, eventually: Eventually, copied_within: float
) -> None:
    media.put(film, "a film")
    eventually(lambda: copies.head(film), within=copied_within)

    media.delete(film)

    assert not media.head(film)
    assert copies.get(film) == "a film"


@pytest.mark.aws_only
@pytest.mark.concept("s3.replication-cross-region")
def test_films_are_copied_to_the_other_region(
    media: Bucket,
    replica: Bucket | None,
    film: str,
    eventually: Eventually,
    copied_within: float,
) -> None:
    if not replica:
        pytest.skip("deployed without another region; README.md says how to give it one")
    media.put(film, "a film")

    eventually(lambda: replica.head(film), within=copied_within)
    assert replica.get(film) == "a film"


@pytest.mark.concept("s3.lifecycle-transition")
def test_films_move_to_cheaper_storage_classes_in_time(media: Bucket) -> None:
    rules = media.s3.get_bucket_lifecycle_configuration(Bucket=media.name)["Rules"]
    [rule] = (rule for rule in rules if rule.get("Filter", rule)["Prefix"] == "films/")

    assert rule["Status"] == "Enabled"
    assert {each["StorageClass"]: each["Days"] for each in rule["Transitions"]} == {
        "STANDARD_IA": 30,
        "GLACIER_IR": 90,
    }


@pytest.mark.aws_only
@pytest.mark.concept("s3.lifecycle-expiration")
def test_a_draft_tells_when_it_expires_and_by_which_rule(media: Bucket, draft: str) -> None:
    media.put(draft, "a draft")

    head = media.head(draft)
    assert head
    assert 'rule-id="ExpireDrafts"' in head["Expiration"]
    assert "expiry-date=" in head["Expiration"]


@pytest.mark.concept("s3.events")
def test_the_queue_is_told_of_a_draft_that_comes_and_of_one_that_goes(
    media: Bucket,
    draft: str,
    changes: Callable[[str], list[str]],
    eventually: Eventually,
) -> None:
    media.put(draft, "a draft")
    media.delete(draft)

    eventually(lambda: len(changes(draft)) == 2, within=120)
    assert changes(draft) == ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"]


@pytest.mark.concept("s3.presigned-url")
def test_a_presigned_url_is_good_for_one_action_on_one_object_until_it_expires(
    act_as: Act, draft: str, fetch: Fetch, wait: Wait
) -> None:
    editor = act_as("EditorArn")

    def sign(action: str) -> str:
        parameters = {"Bucket": editor.name, "Key": draft}
        url: str = editor.s3.generate_presigned_url(action, Params=parameters, ExpiresIn=5)
        return url

    upload, download = sign("put_object"), sign("get_object")
    assert fetch(upload, "PUT", "a draft").status == 200
    assert fetch(download).body == "a draft"

    path = urlsplit(download).path
    assert fetch(download.replace(path, path + "2")).status == 403
    assert fetch(upload).status == 403, "what is signed for PUT is not for GET"

    wait(6)
    assert fetch(download).status == 403
    assert fetch(upload, "PUT", "another draft").status == 403
    assert editor.get(draft) == "a draft"


@pytest.mark.concept("s3.presigned-url")
def test_nobody_can_sign_away_what_they_may_not_do_themselves(
    media: Bucket, act_as: Act, film: str, fetch: Fetch
) -> None:
    media.put(film, "a film")
    viewer = act_as("ViewerArn")
    parameters = {"Bucket": viewer.name, "Key": film}

    assert fetch(viewer.s3.generate_presigned_url("get_object", parameters)).body == "a film"
    assert (
        fetch(viewer.s3.generate_presigned_url("delete_object", parameters), "DELETE").status == 403
    )


@pytest.mark.concept("s3.presigned-url")
def test_pages_of_other_sites_may_upload_and_may_not_delete(
    media: Bucket, draft: str, fetch: Fetch
) -> None:
    url = media.s3.generate_presigned_url("put_object", {"Bucket": media.name, "Key": draft})

    def ask_before(method: str) -> int:
        headers = {"Origin": "https://example.com", "Access-Control-Request-Method": method}
        return fetch(url, "OPTIONS", headers=headers).status

    assert ask_before("PUT") == 200
    assert ask_before("DELETE") == 403
