"""The training script: bad input in this process (it needs no scikit-learn), the real thing in the other."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from groundswell.manifests.csv_files import named_csv, tensorflow_csv
from groundswell.manifests.splits import split

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "include/training/iris/train.py"
PYTHON = Path(os.environ.get("LOCALCLOUD_TRAINING_PYTHON", ROOT / ".venv-training/bin/python"))
FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
CLASSES = ["setosa", "versicolor", "virginica"]
DUMP_IRIS = """
import json; from sklearn.datasets import load_iris
data = load_iris(); rows = zip(data.data.tolist(), data.target)
print(json.dumps([[*map(str, x), data.target_names[y]] for x, y in rows]))
"""
SERVE = """
import json, sys; sys.path.insert(0, sys.argv[1]); import train
model = train.model_fn(sys.argv[2]); out = []
for body, content_type, accept in json.load(sys.stdin):
    try: out.append(train.output_fn(train.predict_fn(train.input_fn(body, content_type), model), accept))
    except ValueError as error: out.append(str(error))
print(json.dumps(out))
"""

needs_training = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no training environment at {PYTHON}; make it with `make setup`"
)


@dataclass
class Run:
    model: Path
    out: str
    err: str
    code: int


def run_python(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTHON), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.fixture(scope="module")
def iris() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    dumped = run_python("-c", DUMP_IRIS)
    assert dumped.returncode == 0, dumped.stderr
    rows = {
        str(n): dict(zip([*FEATURES, "species"], values, strict=True))
        for n, values in enumerate(json.loads(dumped.stdout))
    }
    strata = {each: row["species"] for each, row in rows.items()}
    train, test = split(list(rows), test_items=30, seed=42, strata=strata)
    return [rows[each] for each in train], [rows[each] for each in test]


def train_on(folder: Path, train: str, test: str, *options: str) -> Run:
    for channel, text in (("train", train), ("test", test)):
        (folder / channel).mkdir()
        (folder / channel / f"iris_{channel}.csv").write_text(text)
    done = run_python(
        str(SCRIPT),
        *options,
        SM_CHANNEL_TRAIN=str(folder / "train"),
        SM_CHANNEL_TEST=str(folder / "test"),
        SM_MODEL_DIR=str(folder / "model"),
    )
    return Run(folder / "model", done.stdout, done.stderr, done.returncode)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, iris: Any) -> Run:
    train, test = iris
    return train_on(
        tmp_path_factory.mktemp("named"),
        named_csv(train, FEATURES, "species"),
        named_csv(test, FEATURES, "species"),
        *("--hidden_units", "16", "--max_iter", "2000", "--seed", "1", "--label_column", "species"),
    )


def serve(model: Path, *requests: tuple[str, str, str]) -> list[Any]:
    done = run_python("-c", SERVE, str(SCRIPT.parent), str(model), stdin=json.dumps(requests))
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def metric(run: Run, name: str) -> float:
    found = re.search(rf"^{name}=([0-9.]+);$", run.out, re.MULTILINE)
    assert found, run.out + run.err
    return float(found.group(1))


@needs_training
def test_it_learns_iris(trained: Run) -> None:
    assert trained.code == 0, trained.err
    assert metric(trained, "train_accuracy") >= 0.95
    assert metric(trained, "test_accuracy") >= 0.9
    metadata = json.loads((trained.model / "metadata.json").read_text())
    assert metadata["features"] == FEATURES
    assert metadata["classes"] == CLASSES
    assert metadata["rows"] == {"train": 120, "test": 30}
    assert metadata["hyperparameters"] == {"hidden_units": [16], "max_iter": 2000, "alpha": 0.01, "seed": 1}
    assert metadata["metrics"]["test_accuracy"] == pytest.approx(metric(trained, "test_accuracy"), abs=1e-4)


@needs_training
def test_the_tensorflow_form_learns_the_same(trained: Run, tmp_path: Path, iris: Any) -> None:
    train, test = (tensorflow_csv(rows, FEATURES, "species", CLASSES) for rows in iris)
    run = train_on(tmp_path, train, test, "--max-iter", "2000")
    assert run.code == 0, run.err
    assert run.out == trained.out
    assert json.loads((run.model / "metadata.json").read_text())["classes"] == CLASSES


@needs_training
def test_it_says_when_it_has_not_converged(tmp_path: Path, iris: Any) -> None:
    train, test = (named_csv(rows, FEATURES, "species") for rows in iris)
    run = train_on(tmp_path, train, test, "--max_iter", "3", "--hidden_units", "[8, 4]")
    assert run.code == 0
    assert run.err == "warning: not converged after 3 iterations; raise max_iter\n"


@needs_training
def test_serving(trained: Run) -> None:
    row = [6.4, 3.2, 4.5, 1.5]
    answers = serve(
        trained.model,
        (json.dumps({"instances": [row, [5.1, 3.5, 1.4, 0.2]]}), "application/json", "application/json"),
        (json.dumps([row]), "application/json; charset=utf-8", "*/*"),
        ("6.4,3.2,4.5,1.5\r\n5.1,3.5,1.4,.2\n", "text/csv", "text/csv"),
        (json.dumps([row[:3]]), "application/json", "application/json"),
        (json.dumps([[*row[:3], None]]), "application/json", "application/json"),
        (json.dumps([[*row[:3], True]]), "application/json", "application/json"),
        (json.dumps({"rows": []}), "application/json", "application/json"),
        ("{", "application/json", "application/json"),
        ("", "text/csv", "text/csv"),
        ("a,b,c,d", "text/csv", "text/csv"),
        (json.dumps([row]), "application/x-npy", "application/json"),
        (json.dumps([row]), "application/json", "image/png"),
    )
    body, kind = answers[0]
    assert kind == "application/json"
    first, second = json.loads(body)["predictions"]
    assert (first["label"], second["label"]) == ("versicolor", "setosa")
    assert list(first["probabilities"]) == CLASSES
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["probability"] == max(first["probabilities"].values())
    assert json.loads(answers[1][0])["predictions"] == [first]
    assert [line.split(",")[0] for line in answers[2][0].splitlines()] == ["versicolor", "setosa"]
    assert answers[2][1] == "text/csv"
    not_json = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert answers[3:] == [
        f"row 1 has 3 values and the model takes 4: {', '.join(FEATURES)}",
        "row 1 holds None, which is not a number",
        "row 1 holds True, which is not a finite number",
        'the request has no rows; send {"instances": [[…]]} or lines of CSV',
        f"the request is not JSON ({not_json})",
        'the request has no rows; send {"instances": [[…]]} or lines of CSV',
        "row 1 holds 'a', which is not a number",
        "the content type 'application/x-npy' is not supported; send application/json or text/csv",
        "the type 'image/png' is not supported; accept application/json or text/csv",
    ]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("iris_train", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", [], "x.csv: is empty; give labelled rows"),
        ("a,b,y\n", [], "x.csv: has a header and no rows"),
        ("a,b,y\n1,2,p\n1,q\n", [], "x.csv: line 3: has 2 values instead of 3"),
        ("a,b,y\n1,two,p\n", [], "x.csv: line 2: 'b' is 'two', which is not a finite number"),
        ("a,b,y\n1,,p\n", [], "x.csv: line 2: 'b' is '', which is not a finite number"),
        ("a,b,y\n1,nan,p\n", [], "x.csv: line 2: 'b' is 'nan'"),
        ("a,b,y\n1,2,\n", [], "x.csv: line 2: 'y' is empty; label the row"),
        ("a,b,y\n1,2,p\n", ["--label_column", "z"], "x.csv: the column 'z' is missing; the file has a, b, y"),
        ("a,b,y\n1,2,p\n", ["--features", "a, c"], "x.csv: the column 'c' is missing"),
        ("a,b,y\n1,2,p\n", ["--features", "y"], "x.csv: 'y' is the label"),
        ("y\np\n", [], "x.csv: 'y' is the label, and there must be features beside it"),
        ("a,a,y\n1,2,p\n", [], "x.csv: the column 'a' is there more than once"),
        ("a,b,y\n1,2,p\n3,4,p\n", [], "all 2 rows have the label 'p'; a classifier needs"),
        ("2,2,p,q\n1,2,0\n1,2,2\n", [], "x.csv: line 3: '2' is not a class from 0 to 1"),
        ("2,2,p,q\n1,2,0\n1,2\n", [], "x.csv: line 3: has 2 values instead of 3"),
        ('a,b,y\n1,"2,p\n', [], "x.csv: is not a CSV file in UTF-8"),
        ("a,b,y\n1,2,\udcff\n", [], "x.csv: is not a CSV file in UTF-8"),
    ],
)
def test_bad_training_data_is_one_line(
    script: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    says: str,
) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert script.main(["--train", str(tmp_path), "--model_dir", str(tmp_path / "m"), *options]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("train.py: error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_missing_channels_and_folders(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SM_CHANNEL_TRAIN", "SM_CHANNEL_TEST", "SM_MODEL_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert script.main([]) == 1
    assert "there is no channel 'train'" in capsys.readouterr().err
    assert script.main(["--train", str(tmp_path)]) == 1
    assert "SM_MODEL_DIR is not set" in capsys.readouterr().err
    assert script.main(["--train", str(tmp_path), "--model_dir", "m"]) == 1
    assert "channel 'train': there is no CSV file in" in capsys.readouterr().err
    assert script.main(["--train", str(tmp_path / "none"), "--model_dir", "m"]) == 1
    assert "channel 'train': there is no CSV file in" in capsys.readouterr().err


def test_files_of_a_channel_are_one_table(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffa,b,y\n1,2,p\n")
    (tmp_path / "b.csv").write_text("a,b,y\n3,4,q\n")
    table = script.read_channel("train", str(tmp_path), "", [])
    assert (table.rows, table.labels) == ([[1.0, 2.0], [3.0, 4.0]], ["p", "q"])
    (tmp_path / "c.csv").write_text("a,c,y\n3,4,q\n")
    with pytest.raises(script.InputError, match=r"c\.csv: has other columns or classes than a\.csv"):
        script.read_channel("train", str(tmp_path), "", [])


def test_hyperparameters_are_checked(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--max_iter", "0"], ["--hidden_units", "a"], ["--hidden_unit_count", "3"]):
        with pytest.raises(SystemExit):
            script.main(options)
        assert options[0] in capsys.readouterr().err
