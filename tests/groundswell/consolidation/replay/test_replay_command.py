from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from groundswell.consolidation.replay import compare, read_recorded
from groundswell.consolidation.replay.chart import draw
from groundswell.consolidation.replay.command import main
from groundswell.consolidation.stopping import Fixed

HEADER = "task,worker,label\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Answers of eight workers to forty items, and the truth of most."""
    g = np.random.default_rng(1)
    truth = g.integers(0, 2, 40)
    lines = [
        f"t{t},w{w},{'cat' if (g.random() < 0.8) == bool(truth[t]) else 'dog'}\n"
        for t in range(40)
        for w in g.choice(8, 5, replace=False)
    ]
    answers, known = tmp_path / "answers.csv", tmp_path / "truth.csv"
    answers.write_text(HEADER + "".join(lines))
    known.write_text("task,label\n" + "".join(f"t{t},{'cat' if truth[t] else 'dog'}\n" for t in range(38)))
    return answers, known


def rule(**options: object) -> list[str]:
    return ["--rule", json.dumps(options)]


def test_it_prints_a_table(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    answers, known = files
    arguments = [str(answers), "--truth", str(known), "--orders", "2", "--method", "majority"]
    arguments += rule(rule="agree", agree=2, first=2, most=5) + rule(rule="fixed", first=3)
    assert main(["replay", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "200 answers of 8 workers to 40 items, 2 labels, truth known of 38" in out
    assert re.search(r"agree 2, first 2, most 5 +\d+ +2\.\d\d +\d\d % +\$\d+\.\d\d +\d+ % +\d+ %", out)
    assert re.search(r"fixed 3 +120 +3\.00 +40 % +\$7\.20 +100 % +0 % +\d\d\.\d % +\d\d\.\d %", out)
    assert re.search(r"all answers, majority vote +200 +5\.00", out)


def test_data_are_the_same_each_time(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    answers, known = files
    arguments = ["replay", str(answers), "--truth", str(known), "--json", "--orders", "2", "--reward", "0.10"]
    arguments += rule(rule="confidence", confidence=0.9, most=5)
    results = []
    for _ in range(2):
        assert main(arguments) == 0
        results.append(capsys.readouterr().out)
    assert results[0] == results[1]
    found = json.loads(results[0])
    assert found["rules"][0]["rule"] == {"rule": "confidence", "confidence": 0.9, "first": 2, "most": 5}
    assert found["rules"][0]["cost_cents"] == pytest.approx(12 * found["rules"][0]["answers"])
    assert set(found["rules"][0]["accuracy"]["early"]) == {"settled", "all", "all_sd"}
    assert found["everything"]["answers"] == 200
    assert found["reward_cents"] == 10


def test_the_grid_has_every_family(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(files[0]), "--grid", "--orders", "1", "--json", "--most", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["rule"]["rule"] for row in found["rules"]} == {"fixed", "agree", "lead", "confidence"}
    assert max(row["rule"]["most"] for row in found["rules"]) == 3
    assert all(row["accuracy"] == {} for row in found["rules"])


def test_a_chart_names_its_axes_with_units(files: tuple[Path, Path], tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    assert (
        main(["replay", str(files[0]), "--truth", str(files[1]), "--orders", "1", "--chart", str(chart)]) == 0
    )
    text = chart.read_text()
    ElementTree.fromstring(text)
    # Letters are drawn as shapes, and the text of each stands in a comment
    for said in (
        "Cost per item, fees included (US dollars)",
        "Items labelled right (%)",
        "confidence: so likely",
    ):
        assert said in text


def test_charts_of_the_same_rows_are_the_same(files: tuple[Path, Path], tmp_path: Path) -> None:
    rows = compare(read_recorded(*files), [Fixed(first=n, most=n) for n in (1, 2)], orders=1)
    charts = [tmp_path / "one.svg", tmp_path / "two.svg", tmp_path / "three.png"]
    for chart in charts:
        draw(rows, chart, method="early")
    assert charts[0].read_bytes() == charts[1].read_bytes()
    assert charts[2].read_bytes().startswith(b"\x89PNG")


def test_a_chart_without_truth_shows_what_is_settled(files: tuple[Path, Path], tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    assert main(["replay", str(files[0]), "--orders", "1", "--chart", str(chart)]) == 0
    assert "Items settled (%)" in chart.read_text()


def test_names_that_look_like_formulas_or_markup_do_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = ['=HYPERLINK("http://x")', "<script>alert(1)</script>", "$x^{", "\x1b[31m", "a,b\nc", "\u202e"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in nasty]
    answers = tmp_path / "answers.csv"
    rows = [f"{task},{worker},{quoted[k % 2]}\n" for task in quoted for k, worker in enumerate(quoted)]
    answers.write_text(HEADER + "".join(rows))
    truth = tmp_path / "truth.csv"
    truth.write_text("task,label\n" + "".join(f"{task},{quoted[0]}\n" for task in quoted))
    chart = tmp_path / "chart.svg"
    arguments = [str(answers), "--truth", str(truth), "--orders", "1", "--chart", str(chart)]
    assert main(["replay", *arguments]) == 0
    out = capsys.readouterr().out + chart.read_text()
    assert "36 answers of 6 workers to 6 items" in out
    for name in nasty:
        assert name not in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"answers.csv:1: is empty; the first line names the columns"),
        (HEADER, r"answers.csv: has no answers"),
        ("task,label\na,b\n", r"answers.csv:1: names the column 'worker' nowhere"),
        ("task,task,worker,label\n", r"answers.csv:1: names the column 'task' twice"),
        (HEADER + "a,b,c\na,b\n", r"answers.csv:3: has 2 cells, and there are 3 columns"),
        (HEADER + "a,b,c\na,,c\n", r"answers.csv:3: worker is empty"),
        (HEADER + '"a\nb",b,\n', r"answers.csv:3: label is empty"),
        (HEADER + 'a,"b\n', r"answers.csv:2: is not CSV"),
        (HEADER + "a,b,\udcff\n", r"answers.csv:2: is not text in UTF-8"),
        (
            "task,worker,label,submitted\na,b,c,yesterday\n",
            r"answers.csv:2: submitted: 'yesterday' is not a time",
        ),
    ],
)
def test_errors_name_file_and_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert main(["replay", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(says, err)
    assert err.startswith("replay: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--truth", "none.csv"], "none.csv: cannot be read: No such file"),
        (["--rule", "agree"], "rule: 'agree' is not JSON"),
        (["--rule", "[]"], "is not an object such as"),
        (["--rule", '{"rule": "agree", "agree": 2, "first": 2}'], "redundancy: most: is missing"),
        (["--reward", "0.055"], "--reward: '0.055' is not an amount of dollars"),
        (["--chart", "chart.pdf"], "chart.pdf: a chart is written as .svg or .png"),
        (["--rule", '{"rule": "fixed", "first": 99999999999}'], "first: 99999999999 is above 1,000,000,000"),
        (["--chart", "nowhere/chart.svg"], "the folder nowhere does not exist"),
        (["--as-submitted"], "not every answer has a time"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], says: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(files[0]), *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--orders", "--most"])
@pytest.mark.parametrize("value", ["0", "-1", "1e3", "9" * 5000, "\u0663"])
def test_counts_have_to_be_counts(
    option: str, value: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["replay", str(files[0]), option, value])
    assert "is not a whole number" in capsys.readouterr().err


def test_truth_that_contradicts_itself_is_refused(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answers, known = files
    known.write_text("task,label\nt1,cat\nt1,dog\n")
    assert main(["replay", str(answers), "--truth", str(known)]) == 2
    assert "truth.csv:3: task 't1' has two true labels, 'cat' and 'dog'" in capsys.readouterr().err


def test_repeated_rows_count_once_and_columns_go_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("\ufeffLabel,note,worker,task\nx,,1,a\nx,again,1,a\ny,,2,a\n\nx,,3,a\n", encoding="utf-8")
    assert main(["replay", str(path), "--orders", "1"]) == 0
    assert "3 answers of 3 workers to 1 items" in capsys.readouterr().out


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0c", "\x1e"])
def test_only_ends_of_lines_end_a_row(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(f'{HEADER}a,1,x{mark}y\r\na,2,x\r\n"b\nc",2,x\r\n'.encode())
    answers = read_recorded(path).answers
    assert answers.label_names == ("x", f"x{mark}y")
    assert answers.task_names == ("a", "b\nc")


def test_spaces_around_a_cell_are_no_part_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, truth = tmp_path / "answers.csv", tmp_path / "truth.csv"
    path.write_text("task, worker, label\na, 1, x\na, 2, x \n")
    truth.write_text("task,label\na,x\n")
    assert read_recorded(path, truth).answers.label_names == ("x",)
    path.write_text(HEADER + "a, ,x\n")
    assert main(["replay", str(path)]) == 2
    assert "answers.csv:2: worker is empty" in capsys.readouterr().err


def test_times_without_a_zone_are_taken_for_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(
        "task,worker,label,submitted\na,1,x,2026-01-01T00:00:00\na,2,x,2026-01-01T02:00:00+03:00\n"
    )
    for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        submitted = read_recorded(path).submitted
        assert submitted is not None
        assert submitted.tolist() == [1767225600.0, 1767222000.0]
    monkeypatch.undo()
    time.tzset()


def test_truth_of_other_items_is_refused(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answers, known = files
    for text in ("T1,cat\n", ""):
        known.write_text("task,label\n" + text)
        assert main(["replay", str(answers), "--truth", str(known)]) == 2
        assert "truth.csv: has none of the items that were answered" in capsys.readouterr().err


def test_true_labels_that_nobody_gave_are_told(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answers, known = files
    known.write_text("task,label\nt1,cat\nt2,Cat\nt3,\x1b[31mred\nt4,Cat\n")
    assert main(["replay", str(answers), "--truth", str(known), "--orders", "1"]) == 0
    err = capsys.readouterr().err
    assert err == "replay: true labels that no worker gave: '\\x1b[31mred', 'Cat'; are they spelt alike?\n"


def test_rules_that_no_hit_can_follow_are_told(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["replay", str(files[0]), "--orders", "1", *rule(rule="agree", agree=2, first=2, most=12)]) == 0
    )
    assert "agree 2, first 2, most 12: a HIT created with fewer than 10" in capsys.readouterr().out
    assert (
        main(["replay", str(files[0]), "--orders", "1", *rule(rule="agree", agree=2, first=10, most=12)]) == 0
    )
    assert "a HIT created" not in capsys.readouterr().out


def test_a_ledger_is_read_with_its_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"item": "a", "worker": str(w), "label": label, "submitted": f"2026-01-0{9 - w}T00:00:00+00:00"}
        for w, label in enumerate(["x", "y", None, "y", "y"])
    ]
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["replay", str(folder), "--as-submitted", "--json"]
    assert main([*arguments, *rule(rule="agree", agree=2, first=2, most=4)]) == 0
    # The last two workers answered first, and they agree
    assert json.loads(capsys.readouterr().out)["rules"][0]["answers"] == 2
    (folder / "part.jsonl").write_text('{"item": "a"}\n{"item"\n')
    assert main(arguments) == 2
    assert "part.jsonl:1: worker: 'None' is not a text" in capsys.readouterr().err


def test_it_is_a_program(files: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "groundswell.consolidation", "replay", str(files[0]), "--orders", "1"]
    root = Path(__file__).parents[4] / "plugins"
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "confidence" in done.stdout
