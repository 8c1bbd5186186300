"""Blinded review: the page keeps its secret; scores against numbers worked out by hand."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

import onnxplain as ox
from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation.explained import Explained, restored
from onnxplain.eeg.review import make as review
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError
from onnxplain.engine.evaluation.randomisation import randomised_copy

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

Make = Callable[..., Any]
OTHERS = ("random weights", "another subject")


def test_maps_of_a_cap_with_names_of_its_own(own_demo: Any, tmp_path: Path) -> None:
    """They lie where the recording says; where nothing says it, there is no map and a line."""
    names = ("Fp1", "Fp2", "C3", "C4", "O1", "O2")
    rng = np.random.default_rng(0)
    own, other, *bare = (
        made(electrodes, relevance=rng.normal(size=(4, 6, 20)), target=np.zeros(4, dtype=int))
        for electrodes in (*[own_demo.naming.electrodes(names)] * 2, *[own_demo.naming.of(names)] * 2)
    )
    page = review.make(own, {"random weights": other}, tmp_path / "out", n=4)
    assert page.read_text(encoding="utf-8").count("data:image/png") == 4
    with pytest.raises(InputError, match="no head map"):
        review.make(bare[0], {"random weights": bare[1]}, tmp_path / "bare", n=4)


@pytest.fixture
def sides(make_contract: Make, make_model: Make, recorded: Make) -> tuple[Explained, dict[str, Explained]]:
    contract = make_contract()
    model, data = make_model(contract), recorded(seconds=60)
    own = explain_recording(model, data, target="left")
    return own, {
        OTHERS[0]: explain_recording(make_model(contract, "r.onnx", seed=1), data, target="left"),
        OTHERS[1]: explain_recording(model, recorded("s_raw.fif", seconds=60, seed=5), target="left"),
    }


def answers(
    key: Path, path: Path, judge: Callable[[str, bool], str], expert: str = "A", **change: Any
) -> Path:
    """A file of answers as the page exports it, by a rule from (id, true) to judgement."""
    found = json.loads(key.read_text())
    given = {i: {"judgement": judge(i, e["true"]), "confidence": 3} for i, e in found["items"].items()}
    path.write_text(json.dumps({"review": found["review"], "expert": expert, "answers": given, **change}))
    return path


def perfect(_: str, true: bool) -> str:
    return "plausible" if true else "not plausible"


def test_page_keeps_its_secret(sides: tuple[Explained, dict[str, Explained]], tmp_path: Path) -> None:
    page = review.make(*sides, tmp_path / "out", n=12)
    assert {p.name for p in page.parent.iterdir()} == {"review.html", "key.json"}
    text, key = page.read_text(encoding="utf-8"), json.loads((page.parent / "key.json").read_text())
    items = key["items"]
    assert sum(e["true"] for e in items.values()) == 6
    assert [sum(e["label"] == label for e in items.values()) for label in OTHERS] == [3, 3]
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text).casefold()
    for word in (*OTHERS, "random", "subject", "trained", "true", "seed", "onset", "key.json", "explained"):
        assert word not in words, word
    # The page and the key name the same maps, in an order that is not by origin.
    shown = re.findall(r'data-id="(\w+)"', text)
    assert sorted(shown) == sorted(items)
    assert [items[i]["true"] for i in shown] not in ([True] * 6 + [False] * 6, [False] * 6 + [True] * 6)
    pictures = [base64.b64decode(b) for b in re.findall(r'src="data:image/png;base64,([^"]+)"', text)]
    assert len(set(pictures)) == 12
    assert len({p[16:24] for p in pictures}) == 1  # width and height do not tell
    assert not any(chunk in p for p in pictures for chunk in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME"))
    assert not re.search(r"https?:|//cdn|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))


def test_strength_does_not_tell(sides: tuple[Explained, dict[str, Explained]], tmp_path: Path) -> None:
    """The same relevance a million times as large gives the same pictures: no colour bar tells a source."""
    own, others = sides
    page = review.make(own, others, tmp_path / "a", n=8)
    large = own.dataset.assign(relevance=own.dataset["relevance"] * 2.0**20)
    again = review.make(
        Explained(large, own.windows, own.contract, own.provenance), others, tmp_path / "b", n=8
    )
    found = []
    for p in (page, again):
        ids = json.loads((p.parent / "key.json").read_text())["items"]
        boxes = re.findall(r'data-id="(\w+)".*?base64,([^"]+)"', p.read_text(), re.DOTALL)
        found.append({(ids[i]["label"], ids[i]["window"]): picture for i, picture in boxes})
    assert found[0] == found[1]
    # The order depends on the relevance and not on the seed alone, so who has the seed cannot deal it again.
    orders = [
        [
            e["label"] + str(e["window"])
            for e in json.loads((tmp_path / d / "key.json").read_text())["items"].values()
        ]
        for d in "ab"
    ]
    assert orders[0] != orders[1]


def test_same_again(sides: tuple[Explained, dict[str, Explained]], tmp_path: Path) -> None:
    one, two, other = (
        review.make(*sides, tmp_path / str(i), n=8, seed=s).read_text() for i, s in enumerate((0, 0, 1))
    )
    assert one == two != other


def test_read_back_it_is_the_same_page(
    sides: tuple[Explained, dict[str, Explained]], make_model: Make, make_contract: Make, tmp_path: Path
) -> None:
    own, others = sides
    recording, weights = tmp_path / "rec_raw.fif", {"left": 1.0, "right": -0.5}
    number = explain_recording(make_model(make_contract(classes=()), "n.onnx"), recording, target=1)
    weighed = [explain_recording(tmp_path / n, recording, target=weights) for n in ("tiny.onnx", "r.onnx")]
    for i, (mine, theirs) in enumerate(
        ((own, others), (number, {"x": number}), (weighed[0], {"x": weighed[1]}))
    ):
        read = []
        for k, e in enumerate((mine, *theirs.values())):
            (tmp_path / f"{i}{k}").mkdir()
            views.save(e.dataset, tmp_path / f"{i}{k}" / views.RESULT)
            read.append(views.explanation(tmp_path / f"{i}{k}"))
        page = review.make(mine, theirs, tmp_path / f"{i}a", n=8)
        again = review.make(read[0], dict(zip(theirs, read[1:], strict=True)), tmp_path / f"{i}b", n=8)
        for name in ("review.html", "key.json"):
            assert (page.parent / name).read_bytes() == (again.parent / name).read_bytes()
    shown = json.loads((tmp_path / "2a" / "key.json").read_text())["items"].values()
    assert {e["class"] for e in shown} == {"+1 left, -0.5 right"}


@pytest.mark.parametrize("target", ["predicted", "left", {"left": 1.0, "right": -0.5}])
def test_shuffled_weights_on_the_same_windows(
    target: Any, make_contract: Make, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    """What is read back is what the copy is run on, and its maps are of the classes of the network's maps."""
    model = make_model(make_contract(unit="mV", scale=10.0))
    own = explain_recording(
        model, recorded(), target=target, composite="epsilon", params={"epsilon": 1e-3}, against="none"
    )
    data = views.explanation(views.save(own.dataset, tmp_path / views.RESULT))
    back = restored(data, own.contract)
    np.testing.assert_allclose(back.windows.data, own.windows.data, rtol=1e-6)
    assert back.windows.labels == own.windows.labels
    assert back.windows.channels == own.windows.channels
    made = review.shuffled(data, model, seed=3)
    copy = ox.Explainer(
        randomised_copy(model, tmp_path / "copy.onnx", 3),
        composite="epsilon",
        epsilon=1e-3,
        contract=own.contract,
    )
    asked = [int(t) for t in own.dataset["target"].values] if "target" in own.dataset else {0: 1.0, 1: -0.5}
    want = copy(own.windows.data, target=asked, contrast=None if isinstance(target, dict) else "rest")
    flat = want.relevance["x"].reshape(made["relevance"].shape)
    np.testing.assert_allclose(made["relevance"], flat, atol=1e-5 * np.abs(flat).max())
    assert not np.allclose(made["relevance"], own.relevance, atol=0.1 * np.abs(own.relevance).max())
    assert review.make(data, {"random weights": made}, tmp_path / "out", n=4).is_file()


def test_shuffled_weights_of_another_file(make_contract: Make, make_model: Make, recorded: Make) -> None:
    contract = make_contract()
    model = make_model(contract)
    data = explain_recording(model, recorded()).dataset
    with pytest.raises(InputError, match="not the file that was explained"):
        review.shuffled(data, make_model(contract, "other.onnx", seed=1))
    bare = make_model(contract, "bare.onnx", embed=False)
    own = explain_recording(bare, recorded(), contract=contract).dataset
    with pytest.raises(InputError, match="no input contract"):
        review.shuffled(own, bare)
    with pytest.raises(InputError, match="other electrodes"):
        restored(own, make_contract(tuple(reversed(contract.channels))))
    with pytest.raises(InputError, match="another rate"):
        restored(own, make_contract(sfreq=200.0))
    with pytest.raises(InputError, match="no multiple of 60"):
        restored(own, make_contract(patch=60, window=240))


def test_classes_do_not_tell(sides: tuple[Explained, dict[str, Explained]], tmp_path: Path) -> None:
    """Every class is shown as often on either side, however often the networks predict it."""
    own, others = sides

    def with_targets(e: Explained, right: int) -> Explained:
        names = np.array(["right"] * right + ["left"] * (30 - right), dtype=object)
        data = e.dataset.assign_coords(target_class=("epoch", names))
        return Explained(data, e.windows, e.contract, e.provenance)

    made = review.make(with_targets(own, 24), {"x": with_targets(others[OTHERS[0]], 4)}, tmp_path, n=12)
    items = json.loads((made.parent / "key.json").read_text())["items"].values()
    for true in (True, False):
        assert sum(e["class"] == "right" for e in items if e["true"] is true) == 3
    with pytest.raises(InputError, match="no class has maps of every explanation"):
        review.make(with_targets(own, 30), {"x": with_targets(own, 0)}, tmp_path)
    with pytest.raises(InputError, match=r"x has 4 maps of right and 6 are needed"):
        review.make(with_targets(own, 15), {"x": with_targets(own, 4)}, tmp_path, n=24)


def test_class_names_are_escaped(sides: tuple[Explained, dict[str, Explained]], tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    own = sides[0]
    data = own.dataset.assign_coords(target_class=("epoch", np.array([hostile] * 30, dtype=object)))
    e = Explained(data, own.windows, own.contract, own.provenance)
    text = review.make(e, {"x": e}, tmp_path, n=4).read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


def test_what_cannot_be_reviewed(
    sides: tuple[Explained, dict[str, Explained]],
    make_contract: Make,
    make_model: Make,
    recorded: Make,
    tmp_path: Path,
) -> None:
    own, others = sides
    for change, reason in (
        ({"others": {}}, "nothing to compare"),
        ({"n": 3}, "4 to 200"),
        ({"others": {"explained": own}}, "name the others otherwise"),
        ({"n": 100}, "maps of left and 50 are needed"),
        ({"others": {str(i): own for i in range(3)}, "n": 4}, "6 or more are needed"),
    ):
        with pytest.raises(InputError, match=reason):
            review.make(own, **{"others": others, "out_dir": tmp_path, **change})
    names = ("E1", "E2", "E3")
    contract = make_contract(names)
    model, data = make_model(contract, "e.onnx"), recorded("e_raw.fif", names=names)
    unknown = explain_recording(model, data, target="left")
    with pytest.raises(InputError, match="other electrodes"):
        review.make(own, {"x": unknown}, tmp_path)
    with pytest.raises(InputError, match="no head map"):
        review.make(unknown, {"x": unknown}, tmp_path, n=4)
    assert not list(tmp_path.glob("key.json"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Twenty maps, every other one true."""
    items = {
        f"i{k:02}": {
            "label": "explained" if k % 2 else OTHERS[k % 4 // 2], "true": bool(k % 2), "class": "left",
            "window": k, "onset": 2.0 * k,
        }
        for k in range(20)
    }  # fmt: skip
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"review": "r1", "seed": 0, "versions": {}, "items": items}))
    return path


def test_perfect_and_wrong(key: Path, tmp_path: Path) -> None:
    good = answers(key, tmp_path / "a.json", perfect)
    bad = answers(key, tmp_path / "b.json", lambda i, t: perfect(i, not t), "B")
    found = review.score(key, [good, bad])
    a, b = found.experts
    assert (a.accuracy, a.kappa, a.unsure, a.high) == (1.0, 1.0, 0, 1.0)
    # Wilson's lower end for n of n is n / (n + z^2).
    assert a.low == pytest.approx(20 / (20 + 1.959964**2))
    assert (b.accuracy, b.kappa, b.low) == (0.0, -1.0, 0.0)
    assert found.fleiss == pytest.approx(-1.0)  # two raters who never agree, both answers as often
    assert found.chance == 0.5
    assert found.plausible == {OTHERS[0]: 0.5, "explained": 0.5, OTHERS[1]: 0.5}
    text = found.sentences()
    assert "A tells the network's maps from the others: 20 of 20" in text[0]
    assert "B takes the others for the network's" in text[1]
    alone = review.score(key, [good])
    assert alone.fleiss is None
    assert alone.plausible == {OTHERS[0]: 0.0, "explained": 1.0, OTHERS[1]: 0.0}


def test_random_answers_are_guesses(key: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for k in range(40):
        given = dict.fromkeys(json.loads(key.read_text())["items"], "")
        drawn = {i: str(rng.choice(["plausible", "not plausible", "unsure"])) for i in given}
        paths.append(answers(key, tmp_path / f"{k}.json", lambda i, _, d=drawn: d[i], f"E{k}"))  # type: ignore[misc]
    found = review.score(key, paths)
    inside = [e.low < 0.5 < e.high for e in found.experts if e.low is not None and e.high is not None]
    assert len(inside) == 40
    assert sum(inside) >= 34  # 95 % of 40 is 38
    assert found.fleiss == pytest.approx(0, abs=0.05)
    for path, e in zip(paths, found.experts, strict=True):
        judged = json.loads(path.read_text())["answers"]
        truth = {i: v["true"] for i, v in json.loads(key.read_text())["items"].items()}
        sure = [i for i in judged if judged[i]["judgement"] != "unsure"]
        said = [judged[i]["judgement"] == "plausible" for i in sure]
        assert e.decided == len(sure)
        assert e.kappa == pytest.approx(cohen_kappa_score([truth[i] for i in sure], said))


def test_unsure_about_all(key: Path, tmp_path: Path) -> None:
    paths = [answers(key, tmp_path / f"{e}.json", lambda *_: "unsure", e) for e in "AB"]
    found = review.score(key, paths)
    assert (found.experts[0].accuracy, found.experts[0].kappa, found.fleiss) == (None, None, None)
    text = " ".join(found.sentences())
    assert "A was unsure about all 20 maps" in text
    assert "not defined" in text
    assert "nan" not in text


def test_fleiss_by_hand() -> None:
    # Fleiss 1971 as worked out in many textbooks: 14 raters, 10 items, 5 categories; kappa 0.210.
    counts = np.array(
        [
            [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
        ]
    )  # fmt: skip
    assert review.fleiss_kappa(counts) == pytest.approx(0.20993, abs=5e-6)
    # Three raters, two items: P = (1 + 1/3) / 2 = 2/3, P_e = (4/6)^2 + (2/6)^2 = 5/9, kappa = 1/4.
    assert review.fleiss_kappa(np.array([[3, 0], [1, 2]])) == pytest.approx(0.25)
    assert review.fleiss_kappa(np.array([[3, 0], [3, 0]])) is None
    for wrong in (np.array([[1, 0]]), np.array([[2, 0], [1, 0]])):
        with pytest.raises(InputError, match="Fleiss"):
            review.fleiss_kappa(wrong)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"review": "r2"}, "another review"),
        ({"answers": {}}, "20 of 20 maps have no answer"),
        ({"answers": {"zz": {"judgement": "unsure", "confidence": 1}}}, "1 are not in the key"),
        ({"answers": {"i00": {"judgement": "yes", "confidence": 1}}}, "judgement"),
        ({"answers": {"i00": {"judgement": "unsure", "confidence": 6}}}, "confidence"),
        ({"answers": {"i00": {"judgement": "unsure", "confidence": True}}}, "confidence"),
        ({"expert": ""}, "expert"),
        ({"expert": "  "}, "empty"),
        ({"more": 1}, "more"),
    ],
)
def test_foreign_answers_are_refused(change: dict[str, Any], reason: str, key: Path, tmp_path: Path) -> None:
    path = answers(key, tmp_path / "a.json", perfect, **change)
    with pytest.raises(InputError, match=reason) as error:
        review.score(key, [path])
    assert "a.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_broken_files_are_refused(key: Path, tmp_path: Path) -> None:
    good = answers(key, tmp_path / "a.json", perfect)
    twice = answers(key, tmp_path / "b.json", perfect, " a ")
    with pytest.raises(InputError, match="answered already"):
        review.score(key, [good, twice])
    with pytest.raises(InputError, match="no answers"):
        review.score(key, [])
    with pytest.raises(InputError, match=r"a\.json: not a key"):
        review.score(good, [good])
    for content in (b"", b"{", b"\xff\xfe", b"[1]", b"null"):
        (tmp_path / "c.json").write_bytes(content)
        with pytest.raises(InputError, match=r"c\.json: not a file of answers"):
            review.score(key, [tmp_path / "c.json"])
    (tmp_path / "d.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(InputError, match="too large"):
        review.score(key, [tmp_path / "d.json"])
    with pytest.raises(InputError, match="cannot be read"):
        review.score(key, [tmp_path / "none.json"])
