"""Blinded review from the command line: the demo's models explained, mixed, judged and scored."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from onnxplain.eeg.explanation import dataset as views
from onnxplain.models import demo_file

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]
MODELS = ("shortcut", "honest")


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `explain` wrote of the demo's recording under each of its models."""
    folder = tmp_path_factory.mktemp("explained")
    for name in MODELS:
        model, data = demo_file(f"{name}.onnx"), demo_file("recording.edf")
        command = ["explain", str(model), str(data), "--out", str(folder / name), "--no-report", "--quiet"]
        subprocess.run([sys.executable, "-m", "onnxplain", *command], check=True, timeout=900)
    return folder


@pytest.fixture
def refused(run: Run, line: Line, tmp_path: Path) -> Callable[..., str]:
    """Run `review`, and hold that it is refused in one line and writes nothing; returns the line."""

    def refused(*arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        done = run("review", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert sorted(tmp_path.rglob("*")) == before
        return line(done.stderr)

    return refused


def answered(folder: Path, expert: str, judge: Callable[[dict[str, Any]], str]) -> Path:
    """A file of answers as the page saves it, by a rule from the key's item to the judgement."""
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    given = {i: {"judgement": judge(item), "confidence": 4} for i, item in key["items"].items()}
    path = folder.parent / f"{expert}.json"
    path.write_text(json.dumps({"review": key["review"], "expert": expert, "answers": given}))
    return path


def made(run: Run, explained: Path, out: str = "review", maps: int = 8) -> subprocess.CompletedProcess[str]:
    other = f"honest={explained / 'honest'}"
    return run("review", "make", explained / "shortcut", "--other", other, "--out", out, "-n", maps)


def test_from_recording_to_score(run: Run, explained: Path, tmp_path: Path) -> None:
    options = [
        "--other",
        f"another model={explained / 'honest'}",
        "--random-model",
        demo_file("shortcut.onnx"),
    ]
    done = run("review", "make", explained / "shortcut", *options, "--out", "review", "--maps", 19, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    # Two others and two classes: 19 is rounded down to a multiple of eight.
    assert told["maps"] == {"explained": 8, "another model": 4, "random weights": 4}
    assert told["notes"] == []
    folder = tmp_path / "review"
    assert sorted(p.name for p in folder.iterdir()) == [".onnxplain.json", "key.json", "review.html"]
    items = list(json.loads((folder / "key.json").read_text())["items"].values())
    dealt = Counter((i["label"], i["class"]) for i in items)
    assert {label for label, _ in dealt} == set(told["maps"])
    assert {told["maps"][label] / n for (label, _), n in dealt.items()} == {2.0}  # both classes alike
    for label, name in zip(told["maps"], ("shortcut", "honest", "shortcut"), strict=True):
        data = views.explanation(explained / name)
        for item in (i for i in items if i["label"] == label):
            assert data["target_class"].values[item["window"]] == item["class"]
            assert data["onset"].values[item["window"]] == item["onset"]

    sure = answered(folder, "A", lambda i: "plausible" if i["true"] else "not plausible")
    taken_in = answered(folder, "B", lambda i: "unsure" if i["label"] == "random weights" else "plausible")
    done = run("review", "score", folder / "key.json", sure, taken_in)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("A tells the network's maps from the others: 16 of 16 decided maps right")
    # Eight of its twelve decided maps are the network's.
    assert lines[1].startswith("B cannot be told from guessing: 8 of 12 decided maps right (67%")
    said = dict(zip(told["maps"], ("100%", "50%", "0%"), strict=True))
    assert all(f"{label} {part}" in lines[2] for label, part in said.items())
    # Both say plausible of 8 maps and differ in the rest; of 32 answers 20 are plausible, 8 not, 4 unsure.
    chance = (20**2 + 8**2 + 4**2) / 32**2
    kappa = (0.5 - chance) / (1 - chance)
    assert f"Fleiss' kappa {kappa:.2f}" in lines[3]
    numbers = json.loads(run("review", "score", folder / "key.json", sure, taken_in, "--json").stdout)
    assert [e["correct"] for e in numbers["experts"]] == [16, 8]
    assert numbers["fleiss"] == pytest.approx(kappa)
    assert numbers["sentences"] == lines
    assert run("review", "score", folder / "key.json", sure, "--quiet").stdout == ""


def test_what_make_says(run: Run, explained: Path, tmp_path: Path) -> None:
    done = made(run, explained)
    assert (done.returncode, done.stderr) == (0, "")
    maps, page, key = done.stdout.splitlines()
    assert maps.split(maxsplit=1) == ["maps", "8: 4 explained, 4 honest"]
    assert "review/review.html: send this file to the experts" in page
    assert "review/key.json: keep it" in key
    assert "must not go to the experts" in key
    first = (tmp_path / "review" / "review.html").read_text(encoding="utf-8")
    for name in MODELS:  # neither the files' names nor the labels are on the page
        assert name not in first
    other = f"honest={explained / 'honest'}"
    more = [explained / "shortcut", "--other", other, "--out", "review", "-n", 8]
    assert "--overwrite" in run("review", "make", *more).stderr
    done = run("review", "make", *more, "--overwrite", "--quiet", "--seed", 1)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "review" / "review.html").read_text(encoding="utf-8") != first


def test_other_rules_are_noted(run: Run, explained: Path, tmp_path: Path) -> None:
    data = views.explanation(explained / "honest")
    found = views.provenance(data)
    found["contrast"], found["options"]["composite"] = None, "cplrp"
    (tmp_path / "cp").mkdir()
    views.save(data.assign_attrs(provenance=json.dumps(found)), tmp_path / "cp" / "relevance.nc")
    other = ["--other", "cp=cp", "--out", "review", "-n", 8, "--json"]
    done = run("review", "make", explained / "shortcut", *other)
    notes = json.loads(done.stdout)["notes"]
    assert len(notes) == 2
    assert "composite cplrp and explained attnlrp" in notes[0]
    assert "contrast none and explained rest" in notes[1]


@pytest.mark.long
def test_what_cannot_be_made(refused: Callable[..., str], explained: Path, tmp_path: Path) -> None:
    own, honest = explained / "shortcut", f"a={explained / 'honest'}"
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "relevance.nc").write_text("no NetCDF")
    (tmp_path / "cohort").mkdir()
    shutil.copytree(own, tmp_path / "cohort" / "s1")
    cases: Sequence[tuple[list[object], str]] = (
        (["nothing", "--other", honest], "nothing: no such file"),
        (["empty", "--other", honest], "empty: holds no relevance.nc"),
        (["cohort", "--other", honest], "cohort: holds no relevance.nc"),  # a review is of one recording
        (["text", "--other", honest], "text/relevance.nc: cannot be read"),
        ([own, "--other", "a=nothing"], "nothing: no such file"),
        ([own, "--other", "a=empty"], "empty: holds no relevance.nc"),
        ([own, "--other", "honest"], "LABEL=FOLDER"),
        ([own, "--other", f"=/{own}"], "LABEL=FOLDER"),
        ([own, "--other", honest, "--other", honest], "'a' stands twice"),
        ([own, "--other", f"explained={explained / 'honest'}"], "name the others otherwise"),
        ([own, "--other", f"a={own}"], "has the very maps"),
        ([own], "--other LABEL=FOLDER or --random-model MODEL"),
        ([own, "--other", honest, "--contract", own / "summary.json"], "--contract is for --random-model"),
        ([own, "--random-model", demo_file("honest.onnx")], "not the file that was explained"),
        ([own, "--random-model", "nothing.onnx"], "nothing.onnx: no such file"),
        ([own, "--other", honest, "-n", "3"], "3 maps; 4 to 200"),
        ([own, "--other", honest, "-n", "201"], "201 maps; 4 to 200"),
        ([own, "--other", honest, "-n", "200"], "ask for fewer maps"),
    )
    for arguments, reason in cases:
        assert reason in refused("make", *arguments, "--out", "out")
    assert "--out" in refused("make", own, "--other", honest)


@pytest.mark.long
def test_what_cannot_be_scored(
    run: Run, refused: Callable[..., str], explained: Path, tmp_path: Path
) -> None:
    for name, maps in (("one", 4), ("two", 8)):
        assert made(run, explained, name, maps).returncode == 0
    key = tmp_path / "one" / "key.json"
    good = answered(tmp_path / "one", "A", lambda _: "unsure")
    foreign = answered(tmp_path / "two", "B", lambda _: "unsure")
    broken = tmp_path / "broken.json"
    broken.write_text(good.read_text()[:-20])
    few = tmp_path / "few.json"
    content = json.loads(good.read_text())
    content["answers"].popitem()
    few.write_text(json.dumps(content))
    cases: Sequence[tuple[list[object], str]] = (
        ([key, foreign], "B.json: answers another review than the key is of"),
        ([key, good, broken], "broken.json: not a file of answers"),
        ([key, few], "few.json: 1 of 4 maps have no answer"),
        ([key, good, good], "A.json: expert 'A' is empty or has answered already"),
        ([good, good], "A.json: not a key of a review"),
        ([key, key], "key.json: not a file of answers"),
        ([key, "nothing.json"], "nothing.json: no such file"),
        (["nothing.json", good], "nothing.json: no such file"),
        ([tmp_path / "one", good], "is a folder"),
        ([key], "ANSWERS"),
    )
    for arguments, reason in cases:
        assert reason in refused("score", *arguments)


def test_the_group(run: Run, refused: Callable[..., str]) -> None:
    done = run("review")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"make", "score"} <= {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert "No such command 'judge'" in refused("judge")
