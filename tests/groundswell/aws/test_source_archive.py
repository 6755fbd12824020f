from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from groundswell.aws.sagemaker_requests import differences, numbered, suffixed
from groundswell.aws.source_archive import SourceError, encoded_hyperparameters, pack_source


def write(folder: Path) -> Path:
    (folder / "lib/__pycache__").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "train.py").write_text("print(1)\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "lib/data.json").write_text("{}")
    for left_out in (".git/config", ".DS_Store", "lib/__pycache__/x.cpython-311.pyc", "lib/y.pyc"):
        (folder / left_out).write_text("left out")
    return folder


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    os.utime(other / "train.py", (1, 1))
    (other / "train.py").chmod(0o600)
    assert pack_source(one, "train.py") == pack_source(other, "train.py")
    (other / "train.py").write_text("print(2)\n")
    assert pack_source(one, "train.py").digest != pack_source(other, "train.py").digest


def test_what_is_in_it(tmp_path: Path) -> None:
    archive = pack_source(write(tmp_path / "s"), "train.py")
    with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as tar:
        members = tar.getmembers()
        content = tar.extractfile("train.py")
        assert content is not None
        assert content.read() == b"print(1)\n"
    assert [(m.name, m.mode, m.uid, m.gid, m.mtime) for m in members] == [
        ("lib/data.json", 0o644, 0, 0, 0),
        ("run.sh", 0o755, 0, 0, 0),
        ("train.py", 0o644, 0, 0, 0),
    ]


def test_keys(tmp_path: Path) -> None:
    archive = pack_source(write(tmp_path / "s"), "train.py")
    assert archive.key("") == f"{archive.digest[:16]}/sourcedir.tar.gz"
    assert archive.key("/a/b/") == f"a/b/{archive.digest[:16]}/sourcedir.tar.gz"


def test_missing_folder_and_script(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a folder; set the training source"):
        pack_source(tmp_path / "none", "train.py")
    (tmp_path / "other.py").touch()
    with pytest.raises(SourceError, match=r"has no 'train\.py'; it has other\.py; correct the entry point"):
        pack_source(tmp_path, "train.py")


def test_script_mode_values_are_json() -> None:
    assert encoded_hyperparameters({"n": 16, "s": "adam", "l": [8, 4], "b": True}) == {
        "n": "16",
        "s": '"adam"',
        "l": "[8, 4]",
        "b": "true",
    }


def test_names_stay_within_63_characters() -> None:
    assert [numbered("j", n) for n in (1, 2, 3)] == ["j", "j-2", "j-3"]
    assert numbered("x" * 63, 12) == "x" * 60 + "-12"
    assert suffixed("x" * 58 + "-" + "y" * 4, "abc") == "x" * 58 + "-abc"


def test_differences_ignore_what_descriptions_add() -> None:
    config = {
        "AlgorithmSpecification": {"TrainingImage": "a"},
        "ResourceConfig": {"InstanceCount": "1"},
        "InputDataConfig": [{"ChannelName": "train"}],
    }
    job = {
        "AlgorithmSpecification": {"TrainingImage": "a", "EnableSageMakerMetricsTimeSeries": False},
        "ResourceConfig": {"InstanceCount": 1, "VolumeSizeInGB": 10},
        "InputDataConfig": [{"ChannelName": "train", "CompressionType": "None"}],
        "HyperParameters": {"n": "16", "sagemaker_program": '"train.py"'},
    }
    assert differences(job, config, {"n": 16}) == []
    changed = {
        **config,
        "InputDataConfig": [{"ChannelName": "test"}],
        "AlgorithmSpecification": {"TrainingImage": "b"},
    }
    assert differences(job, changed, {"n": 8}) == [
        "AlgorithmSpecification",
        "InputDataConfig",
        "HyperParameters.n",
    ]
