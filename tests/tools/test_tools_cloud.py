from __future__ import annotations

from pathlib import Path
from typing import Any

from tools import cloud


class FakeS3:
    def __init__(self, existing: list[str]) -> None:
        self.names = existing

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.names]}

    def create_bucket(self, *, Bucket: str) -> None:
        assert Bucket not in self.names
        self.names.append(Bucket)


def test_buckets_and_roles_are_what_the_batch_files_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "state: s3://one/state\noutput: {uri: s3://two}\n"
        "training: {role: 'arn:aws:iam::000000000000:role/path/trainer', image: 'x.dkr.ecr/y:1'}\n"
        "list: [s3://three/x]\n"
    )
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "notes.txt").write_text("s3://not-this")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "daily.yaml").write_text("uri: s3://four/daily")
    assert cloud.wanted_by(tmp_path, tmp_path / "reports", tmp_path / "absent") == cloud.Wanted(
        frozenset({"one", "two", "three", "four"}), frozenset({"trainer"})
    )


def test_only_missing_buckets_are_created() -> None:
    s3 = FakeS3(["one"])
    assert list(cloud._create_buckets(s3, frozenset({"one", "two"}))) == ["s3://two"]
    assert list(cloud._create_buckets(s3, frozenset({"one", "two"}))) == []
