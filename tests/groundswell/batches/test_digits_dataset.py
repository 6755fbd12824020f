"""The files that come with the digits batch: whole, small, neutral, and those of the published data set."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import os
import struct
import subprocess
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from groundswell.batches.model import Batch
from groundswell.templates.check import check_template
from groundswell.templates.images import image_source
from groundswell.templates.render import TaskText, html_question, render_page
from tools import digits as maker
from workforce.crowd import Crowd
from workforce.crowd.behaviour import answer, members

ROOT = Path(__file__).parents[3]
INCLUDE = ROOT / "include"
PYTHON = Path(os.environ.get("LOCALCLOUD_TRAINING_PYTHON", ROOT / ".venv-training/bin/python"))
ROWS = list(csv.DictReader((INCLUDE / "data/digits.csv").read_text().splitlines()))
KEY = {
    row["item"]: row
    for row in csv.DictReader((INCLUDE / "crowds/digits_answers.csv").read_text().splitlines())
}
DIGITS = [str(digit) for digit in range(10)]

needs_training = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no training environment at {PYTHON}; make it with `make setup`"
)


def test_24_of_each_digit_in_an_order_that_gives_nothing_away() -> None:
    assert [row["id"] for row in ROWS] == [f"digit-{number:03d}" for number in range(1, 241)] == list(KEY)
    labels = [KEY[row["id"]]["label"] for row in ROWS]
    assert Counter(labels) == dict.fromkeys(DIGITS, 24)
    assert sum(one == two for one, two in pairwise(labels)) < 40
    assert all(row["image"] == f"{row['id']}.png" for row in ROWS)
    assert "label" not in ROWS[0]


def test_the_images_show_the_pixels() -> None:
    for row in ROWS[::40]:
        data = (INCLUDE / "data/digits_images" / row["image"]).read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", data[16:24]) == (160, 160)
        size = struct.unpack(">I", data[33:37])[0]
        lines = zlib.decompress(data[41 : 41 + size])
        for at, name in enumerate(maker.PIXELS):
            down, right = divmod(at, 8)
            shade = lines[(down * 20 + 10) * 161 + 1 + right * 20 + 10]
            assert shade == 255 - int(row[name]) * 255 // 16


def test_the_package_stays_small() -> None:
    files = [*(INCLUDE / "data/digits_images").iterdir(), INCLUDE / "data/digits.csv"]
    assert len(files) == 241
    assert sum(file.stat().st_size for file in files) < 400_000


@needs_training
def test_the_files_are_made_from_the_published_data(tmp_path: Path) -> None:
    [published] = PYTHON.parents[1].glob("lib/python3*/site-packages/sklearn/datasets/data/digits.csv.gz")
    lines = gzip.decompress(published.read_bytes()).decode().splitlines()
    rows = [[int(float(cell)) for cell in line.split(",")] for line in lines]
    images, labels = [row[:64] for row in rows], [row[64] for row in rows]
    (tmp_path / "data").mkdir()
    (tmp_path / "crowds").mkdir()
    maker.write(images, labels, tmp_path)
    for name in ("data/digits.csv", "crowds/digits_answers.csv"):
        assert (tmp_path / name).read_bytes() == (INCLUDE / name).read_bytes()
    for row in ROWS:
        assert [int(row[name]) for name in maker.PIXELS] == images[int(KEY[row["id"]]["row"])]


def test_every_digit_makes_a_question() -> None:
    batch = Batch.load(INCLUDE / "batches/digits.yaml")
    assert sorted(batch.task.labels) == DIGITS
    assert batch.output.features == tuple(maker.PIXELS)
    task = TaskText.of(batch.task)
    check_template(batch.task.template, task=task, columns=list(ROWS[0]), image=True)
    for row in ROWS[::20]:
        source = image_source(row["image"], batch.task.image_folder)
        html = render_page(batch.task.template, item=row, item_id=row["id"], task=task, image_src=source)
        assert "data:image/png;base64," in html
        assert html_question(html, batch.task.frame_height)


def test_the_crowd_confuses_what_people_confuse() -> None:
    plan = Crowd.load(INCLUDE / "crowds/digits.yaml")
    assert plan.labels == tuple(DIGITS)
    wrong: Counter[tuple[str, str]] = Counter()
    right: dict[str, list[float]] = {}
    for member in members(plan):
        given = {item: answer(plan, member, item, DIGITS) for item in KEY}
        hits = [given[item] == KEY[item]["label"] for item in KEY]
        right.setdefault(member.group.name, []).append(sum(hits) / len(hits))
        if member.group.behaviour == "honest":
            wrong.update(
                (KEY[item]["label"], text) for item, text in given.items() if text != KEY[item]["label"]
            )
    mean = {name: sum(shares) / len(shares) for name, shares in right.items()}
    assert mean["sharp"] > 0.94 > mean["usual"] > 0.86 > mean["tired"] > 0.68
    assert mean["hasty"] < 0.2
    often = {"".join(pair) for pair, _ in wrong.most_common(6)}
    assert often <= {"17", "71", "38", "39", "49", "83", "89", "93", "94", "98"}


# --- the training script ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits_train", INCLUDE / "training/digits/train.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def channel(folder: Path, rows: list[dict[str, str]]) -> Path:
    folder.mkdir()
    lines = [",".join([*maker.PIXELS, "digit"])]
    lines += [",".join([*(row[name] for name in maker.PIXELS), KEY[row["id"]]["label"]]) for row in rows]
    (folder / "digits.csv").write_text("\n".join(lines) + "\n")
    return folder


@needs_training
def test_it_learns_to_read(tmp_path: Path) -> None:
    train, test = channel(tmp_path / "train", ROWS[:180]), channel(tmp_path / "test", ROWS[180:])
    environment = {
        "PATH": os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
        "SM_CHANNEL_TRAIN": str(train),
        "SM_CHANNEL_TEST": str(test),
        "SM_MODEL_DIR": str(tmp_path / "model"),
    }
    command = [str(PYTHON), str(INCLUDE / "training/digits/train.py"), "--label_column", "digit"]
    command += ["--max_iter", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    metadata = json.loads((tmp_path / "model/metadata.json").read_text())
    assert metadata["metrics"]["test_accuracy"] >= 0.85
    assert metadata["rows"] == {"train": 180, "test": 60}
    assert f"test_accuracy={metadata['metrics']['test_accuracy']:.4f};" in done.stdout
    serve = "import sys; sys.path.insert(0, sys.argv[1]); import train; m = train.model_fn(sys.argv[2]); "
    serve += "rows = train.input_fn(sys.stdin.read(), 'application/json'); "
    serve += "print(train.output_fn(train.predict_fn(rows, m), 'application/json')[0])"
    batch = Batch.load(INCLUDE / "batches/digits.yaml")
    assert batch.evaluation
    answered = subprocess.run(
        [str(PYTHON), "-c", serve, str(INCLUDE / "training/digits"), str(tmp_path / "model")],
        input=json.dumps({"instances": [list(row) for row in batch.evaluation.predict]}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    [prediction] = json.loads(answered.stdout)["predictions"]
    assert prediction["label"] == "3"
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no labelled rows"),
        ("a,b\n1,2\n", "64 columns"),
        (
            ",".join([*maker.PIXELS, "digit"]) + "\n" + ",".join(["17"] * 64) + ",3\n",
            "line 2: '17' is not a pixel",
        ),
        (",".join([*maker.PIXELS, "digit"]) + "\n" + ",".join(["1"] * 64) + ",\n", "line 2: has no label"),
    ],
)
def test_a_bad_file_is_one_line_that_says_where(
    script: ModuleType, tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "digits.csv").write_text(text)
    assert script.main(["--train", str(tmp_path), "--model_dir", str(tmp_path / "model")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "digits.csv" in line
    assert message in line


def test_a_bad_request_says_what_is_wrong(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="64 pixels"):
        script.input_fn("[[1, 2]]", "application/json")
    with pytest.raises(ValueError, match="not supported"):
        script.input_fn("x", "image/png")
    assert script.input_fn(",".join(["1"] * 64), "text/csv; charset=utf-8") == [[1.0] * 64]
