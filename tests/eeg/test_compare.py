"""Explanations side by side: shares, maps, windows, cohorts."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation.provenance import jsonable
from onnxplain.eeg.reports import comparison
from onnxplain.eeg.studies.compare import compare
from onnxplain.eeg.studies.sides import by_label, read_side
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2", "T7")


def explanation(
    path: Path, strong: str, *, seed: int = 0, names: tuple[str, ...] = NAMES, data: str = "a", n: int = 6,
    naming: Any = None, **more: Any,
) -> None:  # fmt: skip
    """Relevance that lies for the most part on one electrode; channels may be called as a naming has them."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(0, 0.02, (n, len(names), 40))
    relevance[:, names.index(strong)] += 0.3 + 0.05 * rng.normal(size=(n, 1))
    written(path, relevance, names, data=data, naming=naming, **more)


def written(
    path: Path, relevance: np.ndarray, names: tuple[str, ...] = NAMES, *, data: str = "a", naming: Any = None,
    labels: list[str] | None = None, right: int = 0, random: np.ndarray | None = None,
) -> None:  # fmt: skip
    """As `explain` writes it: labels left and right in turn, right in so many windows."""
    n = len(relevance)
    labels = [("left", "right")[i % 2] for i in range(n)] if labels is None else labels
    guess = np.array([("left", "right").index(x) if x in ("left", "right") else 0 for x in labels])
    guess[right:] = 1 - guess[right:]
    made = xr.Dataset(
        {
            "relevance": (("epoch", "channel", "time"), relevance),
            "target": ("epoch", np.arange(n) % 2),
            "output": (("epoch", "class"), np.eye(2)[guess]),
        },
        {
            "channel": list(names if naming is None else naming.of(names)),
            "onset": ("epoch", np.arange(n) * 2.0),
            "class": ["left", "right"],
            "label": ("epoch", np.array(labels, dtype=object)),
            "time": np.arange(relevance.shape[-1]) / 20,
        },
        {"sfreq": 20.0, "provenance": json.dumps({"data": {"sha256": data}})},
    )
    if random is not None:
        made = made.assign(baseline_share=(("baseline", "channel"), random[None]))
        made = made.assign_coords(baseline=["random weights"])
    if naming is not None:
        made.attrs["places"] = views.places_attribute(naming.electrodes(names))
    path.mkdir(parents=True)
    views.save(made, path / "relevance.nc")


def test_where_two_models_look(tmp_path: Path) -> None:
    explanation(tmp_path / "eyes", "Fp1")
    # The same electrodes in another order and spelling.
    explanation(
        tmp_path / "motor", "C3", seed=1, names=("EEG O2-REF", "C3", "Cz", "C4", "O1", "Fp2", "Fp1", "T3")
    )
    found = compare([read_side(tmp_path / "eyes"), read_side(tmp_path / "motor")])
    assert set(found.channels) == set(NAMES)
    np.testing.assert_allclose(found.electrodes.sum(1), 1.0)
    rows = {r.name: r for r in found.rows}
    assert [found.more(i).name for i in range(2)] == ["frontopolar", "central"]  # type: ignore[union-attr]
    assert rows["frontal-ocular"].share[0] > 0.8 > 0.2 > rows["frontal-ocular"].share[1]
    assert rows["sensorimotor"].share[1] > 0.8
    regions = [r for r in found.rows if r.kind == "region"]
    np.testing.assert_allclose(np.sum([r.share for r in regions], 0), 1.0)
    (one,) = found.agreements
    assert one.windows == 6
    assert abs(one.per_window or 0) < 0.5
    assert one.same_class == 1.0
    assert rows["frontal-ocular"].effect is None  # one recording a side
    assert found.test is None


def test_a_cap_with_names_of_its_own_beside_10_20_names(tmp_path: Path, own_demo: Any) -> None:
    explanation(tmp_path / "named", "Fp1")
    explanation(tmp_path / "cap", "Fp1", names=NAMES[::-1], naming=own_demo.naming)
    found = compare([read_side(tmp_path / "named"), read_side(tmp_path / "cap")])
    assert found.channels.names == NAMES
    assert next(r.share[1] for r in found.rows if r.name == "frontal-ocular") > 0.8
    np.testing.assert_allclose(found.electrodes[1].argmax(), NAMES.index("Fp1"))
    assert found.agreements[0].windows == 6
    assert any("nearest to where they were measured" in n for n in found.notes)
    # Of the cap's own names where it is the first side; maps are drawn of both.
    turned = compare([read_side(tmp_path / "cap"), read_side(tmp_path / "named")])
    assert turned.channels.names == own_demo.naming.of(NAMES[::-1])
    assert "head_maps.png" in {f.name for f in comparison.write(turned, tmp_path)}
    data = json.loads((tmp_path / "comparison.json").read_text())
    assert set(data["places"]) == set(data["channels"])
    # Without positions there is nothing to match by, and it is said.
    explanation(tmp_path / "bare", "E1", names=("E1", "E2", "E3"))
    with pytest.raises(InputError, match="where channels lie is not known in bare"):
        compare([read_side(tmp_path / "named"), read_side(tmp_path / "bare")])


def test_two_caps_that_use_one_name_for_two_places(tmp_path: Path) -> None:
    """Names say the same and positions do not: positions count."""
    order = ("Fp1", "O1", "C3", "C4")
    for label, places in (("one", order), ("two", order[::-1])):
        explanation(tmp_path / label, "E1", names=("E1", "E2", "E3", "E4"))
        lie = {f"E{i}": list(map(float, p)) for i, p in enumerate(template_positions(places).values(), 1)}
        with xr.open_dataset(tmp_path / label / "relevance.nc", engine="h5netcdf") as data:
            made = data.load().assign_attrs(places=json.dumps(lie))
        views.save(made, tmp_path / label / "relevance.nc")
    found = compare([read_side(tmp_path / n) for n in ("one", "two")])
    assert found.channels.names == ("E1", "E2", "E3", "E4")
    assert found.electrodes.argmax(1).tolist() == [0, 3]  # E1 of the second lies where E4 of the first does


def test_a_model_agrees_with_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        explanation(tmp_path / name, "Cz")
    (one,) = compare([read_side(tmp_path / n, "same") for n in "ab"]).agreements
    assert (one.first, one.second) == ("same (1)", "same (2)")
    assert one.per_window == pytest.approx(1.0)
    assert one.rank == pytest.approx(1.0)
    explanation(tmp_path / "other", "Cz", data="b")  # another recording: nothing to compare window by window
    (one,) = compare([read_side(tmp_path / n) for n in ("a", "other")]).agreements
    assert one.per_window is None


def test_cohorts(tmp_path: Path, naming: Any) -> None:
    for i in range(6):
        explanation(tmp_path / "fine" / f"s{i}", "C3", seed=i, data=f"d{i}", naming=naming)
        explanation(tmp_path / "scratch" / f"s{i}", "Fp2", seed=50 + i, data=f"d{i}", naming=naming)
        explanation(tmp_path / "others" / f"p{i}", "Fp2", seed=90 + i, data=f"e{i}", naming=naming)
    paired = compare([read_side(tmp_path / "fine"), read_side(tmp_path / "scratch")])
    assert paired.subjects == (6, 6)
    rows = {r.name: r for r in paired.rows}
    motor, eyes = rows["sensorimotor"].effect, rows["frontal-ocular"].effect
    assert motor is not None
    assert eyes is not None
    assert motor.low > 3
    assert eyes.high < -3
    assert paired.test is not None
    assert "does not establish where" in paired.test
    assert paired.agreements[0].windows == 36
    unlike = compare([read_side(tmp_path / "scratch"), read_side(tmp_path / "others")])
    same = {r.name: r for r in unlike.rows}["frontal-ocular"].effect
    assert same is not None
    assert abs(same.value) < 2
    assert unlike.agreements[0].windows == 0
    comparison.write(paired, tmp_path)
    with (tmp_path / "shares.csv").open() as file:
        table = {r["name"]: r for r in csv.DictReader(file)}
    bounds = [float(table["sensorimotor"][f"effect{end}"]) for end in ("_low", "", "_high")]
    assert bounds == pytest.approx([motor.low, motor.value, motor.high])
    (tmp_path / "few").mkdir()
    for i in range(2):
        explanation(tmp_path / "few" / f"s{i}", "C3", seed=i, naming=naming)
    few = compare([read_side(tmp_path / "few"), read_side(tmp_path / "fine")])
    assert few.test is not None
    assert "no p-value" in few.test


def spread(**shares: float) -> np.ndarray:
    """Six windows with these shares of electrodes; the rest is even over the others."""
    rest = (1 - sum(shares.values())) / (len(NAMES) - len(shares))
    size = np.array([shares.get(name, rest) for name in NAMES])
    jitter = 1 + 0.01 * np.random.default_rng(len(shares)).normal(size=(6, len(NAMES), 1))
    return np.broadcast_to(size[:, None] * jitter, (6, len(NAMES), 40)).copy()


def test_the_answer_is_the_largest_difference_and_not_the_largest_set(tmp_path: Path) -> None:
    """Occipital 38 against 15 % counts, although no set has these electrodes; each side has its own."""
    written(tmp_path / "a", spread(O1=0.19, O2=0.19, Fp1=0.06, Fp2=0.05), right=6)
    written(tmp_path / "b", spread(O1=0.08, O2=0.07, Fp1=0.09, Fp2=0.09), right=3)
    found = compare([read_side(tmp_path / n) for n in "ab"])
    first, second, right, near, alike = found.answer()
    assert first.startswith("a has more on occipital electrodes: 38% of its relevance against 15% in b")
    assert "difference +2" in first
    assert "over windows" in first
    assert re.search(r"Of single electrodes it has most more on O[12] \(1[89]\.\d% against", first)
    assert second.startswith("b has more on ")
    assert "occipital" not in second
    assert right == "Accuracy: a 100% of 6 labelled windows; b 50% of 6 labelled windows."
    assert "not known" in near
    assert "(Pearson; by rank" in alike
    assert found.of_kind("region")[0].name == "occipital"
    assert {r.name for r in found.of_kind("electrode")} == set(NAMES)
    low, high = found.of_kind("region")[0].difference.low, found.of_kind("region")[0].difference.high
    assert 0.2 < low <= found.of_kind("region")[0].difference.value <= high < 0.26
    assert json.loads(json.dumps(jsonable(found.to_dict())))["answer"] == found.answer()


def test_the_same_map_twice_is_nothing(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / name, spread(Cz=0.3))
    found = compare([read_side(tmp_path / n) for n in "ab"])
    assert found.answer()[0].startswith("Nothing stands out")
    # Windows that are no others than chance gives: the interval has 0 in it.
    rng = np.random.default_rng(0)
    for name in "cd":
        written(tmp_path / name, rng.normal(size=(40, len(NAMES), 40)))
    found = compare([read_side(tmp_path / n) for n in "cd"])
    assert found.answer()[0].startswith("Nothing stands out")
    assert not any(r.told for r in found.of_kind("region"))


def test_shares_that_have_nothing_in_common_do_not_correlate(tmp_path: Path) -> None:
    """A cosine of shares, which are all positive, would be 0.9 here."""
    even = np.linspace(0.8, 1.2, len(NAMES))
    crossed = 1 + 0.2 * np.array([1, -1, -1, 1, 1, -1, -1, 1])
    random = even / even.sum()
    for name, size in (("a", even), ("b", crossed)):
        written(tmp_path / name, np.tile(size[:, None], (6, 1, 40)), random=random)
    found = compare([read_side(tmp_path / n) for n in "ab"])
    expected = np.corrcoef(even, crossed)[0, 1]
    assert found.agreements[0].correlation == pytest.approx(expected)
    assert abs(expected) < 0.1 < 0.9 < even @ crossed / np.linalg.norm(even) / np.linalg.norm(crossed)
    assert [s.random for s in found.scores] == pytest.approx([1.0, expected])
    assert "a 1.00, b " in found.answer()[-2]


def test_labels_within_one_recording(tmp_path: Path) -> None:
    """Target against standard: each label's windows are a side."""
    relevance = np.concatenate([spread(Cz=0.5), spread(O1=0.5)])
    labels = ["target/hit"] * 6 + ["Standard"] * 5 + [""]
    written(tmp_path / "a", relevance, labels=labels)
    sides = by_label(read_side(tmp_path / "a"), ["target", "standard"])
    assert [d.sizes["epoch"] for s in sides for d in s.subjects.values()] == [6, 5]
    found = compare(sides)
    assert found.labels == ("target", "standard")
    assert found.answer()[0].startswith("target has more on central electrodes")
    assert found.answer()[1].startswith("standard has more on occipital electrodes")
    assert found.agreements[0].per_window is None
    assert found.over == "windows"
    with pytest.raises(InputError, match=r"each of target, rare; there are target/hit, Standard"):
        by_label(read_side(tmp_path / "a"), ["target", "rare"])
    with pytest.raises(InputError, match="one label"):
        by_label(read_side(tmp_path / "a"), ["target"])


def test_labels_within_a_cohort_stand_in_pairs(tmp_path: Path) -> None:
    for i in range(7):
        relevance = np.concatenate([spread(Cz=0.4 + 0.01 * i), spread(O1=0.5)])
        labels = ["target"] * 6 + ["standard" if i else "target"] * 6
        written(tmp_path / "all" / f"s{i}", relevance, labels=labels, data=f"d{i}")
    found = compare(by_label(read_side(tmp_path / "all"), ["target", "standard"]))
    assert found.subjects == (6, 6)
    assert "Without windows of each label, and left out: s0." in found.notes
    assert found.over == "subjects"
    assert {r.name: r for r in found.rows}["central"].effect is not None


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no relevance\.nc"):
        read_side(tmp_path)
    (tmp_path / "relevance.nc").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read"):
        read_side(tmp_path)
    explanation(tmp_path / "a", "Cz", names=("Cz", "C3"))
    explanation(tmp_path / "b", "O1", names=("O1", "O2"))
    with pytest.raises(InputError, match="fewer than two electrodes in common"):
        compare([read_side(tmp_path / "a"), read_side(tmp_path / "b")])
    with pytest.raises(InputError, match="two explanations"):
        compare([read_side(tmp_path / "a")])


def test_the_files(tmp_path: Path) -> None:
    explanation(tmp_path / "<b>odd", "Fp1")
    explanation(tmp_path / "motor", "C3", seed=1)
    found = compare([read_side(tmp_path / n) for n in ("<b>odd", "motor")])
    files = comparison.write(found, tmp_path)
    drawn = {f"{name}.{kind}" for name in ("head_maps", "time_course") for kind in ("png", "svg", "pdf")}
    written = {"comparison.json", "electrodes.csv", "shares.csv", "report.html"}
    assert {f.name for f in files} == written | drawn
    with (tmp_path / "electrodes.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["electrode", "<b>odd", "motor"]
    assert sum(float(r[1]) for r in rows[1:]) == pytest.approx(1.0)
    with (tmp_path / "shares.csv").open() as file:
        table = list(csv.DictReader(file))
    assert {r["kind"] for r in table} == {"region", "electrode", "set"}
    assert all(
        float(r["difference_low"]) <= float(r["difference"]) <= float(r["difference_high"]) for r in table
    )
    assert {r["interval_over"] for r in table} == {"windows"}
    assert {r["effect_low"] for r in table} == {""}  # one recording a side has no effect over subjects
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;odd" in page
    assert "<b>odd" not in page


def test_the_demo_by_command(tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onnxplain", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    for name in ("honest", "shortcut"):
        done = run(
            "explain", demo_file(f"{name}.onnx"), demo_file("recording.edf"), "--events", "left,right",
            "--out", name, "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    done = run("compare", "honest", "shortcut", "--out", "both", "--json")
    assert done.returncode == 0, done.stderr
    rows = {r["name"]: r for r in json.loads(done.stdout)["rows"]}
    assert rows["frontal-ocular"]["share"][0] < 0.15 < 0.3 < rows["frontal-ocular"]["share"][1]
    assert rows["frontal-ocular"]["kind"] == "set"
    split = run("compare", "shortcut", "--by-label", "left,right", "--out", "labels")
    assert split.returncode == 0, split.stderr
    assert re.search(r"^answer +\S", split.stdout)
    assert (tmp_path / "labels" / "head_maps.svg").is_file()
    wrong = run("compare", "honest", "shortcut", "--by-label", "left,right", "--out", "one")
    assert "splits one explanation" in wrong.stderr
    wrong = run("compare", "honest", "--out", "one")
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert run("compare", "honest", "nowhere", "--out", "x").returncode == 2
