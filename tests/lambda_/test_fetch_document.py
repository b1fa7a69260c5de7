import os
from pathlib import Path

import pytest

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.lambda_.handlers.fetch_document import index


class Bucket:
    """As much of an S3 client as the handler uses."""

    def __init__(self) -> None:
        self.downloads: list[tuple[str, str]] = []

    def download_file(self, bucket: str, key: str, file: str) -> None:
        self.downloads.append((bucket, key))
        Path(file).write_text(f"what {key} says")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr(index, "s3", bucket)
    monkeypatch.setattr(index, "SCRATCH", tmp_path)
    monkeypatch.setenv("BUCKET_NAME", "documents")
    return bucket


def test_a_document_is_downloaded_once(s3: Bucket) -> None:
    first, second = (index.handler({"key": "tales/1.txt"}, None) for _ in range(2))

    assert s3.downloads == [("documents", "tales/1.txt")]
    assert (first["text"], first["downloaded"]) == ("what tales/1.txt says", True)
    assert (second["text"], second["downloaded"]) == ("what tales/1.txt says", False)


def test_documents_of_the_same_name_in_two_folders_are_two(s3: Bucket) -> None:
    texts = [index.handler({"key": f"{folder}/1.txt"}, None)["text"] for folder in "ab"]

    assert texts == ["what a/1.txt says", "what b/1.txt says"]


@pytest.mark.parametrize("key", ["../escape", "/etc/passwd", "a/../../b"])
def test_no_key_leads_out_of_the_scratch_space(s3: Bucket, tmp_path: Path, key: str) -> None:
    assert index.scratch_file(key).resolve().parent == tmp_path.resolve()
