"""How good are the maps of the demo's models, and against which references? Writes docs/evaluation.md.

    python studies/evaluation.py            everything that build/evaluation_study.json does not have yet
    python studies/evaluation.py --page     only the document of what is there

`onnxplain evaluate` and `tune` as they come, on the demo's two models; then the same windows and donors with
other references: how many, of which windows, and drawn again.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from evaluation_page import written
from kept import Kept

from onnxplain.eeg.studies.evaluate import evaluated
from onnxplain.eeg.studies.sample import Sample, sample
from onnxplain.engine.evaluation.curves import Curves, faithfulness
from onnxplain.engine.evaluation.intervals import estimate
from onnxplain.engine.evaluation.replacement import Transplant
from onnxplain.engine.evaluation.setting import DIFFERENCE, OCCLUSION, Setting
from onnxplain.engine.evaluation.tuning import difference, tune
from onnxplain.models import demo_file

ROOT = Path(__file__).parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "evaluation.md", Kept(ROOT / "build" / "evaluation_study.json")
MODELS = ("shortcut", "honest")
COUNTS, DRAWS = (1, 2, 4, 8), 4


def chosen(model: str) -> Sample:
    """The windows that `onnxplain evaluate` takes as it comes."""
    return sample(demo_file(f"{model}.onnx"), demo_file("recording.edf"))


def compared(model: str) -> dict[str, Any]:
    """`onnxplain evaluate`: ABPC by method and replacement, and `difference` less occlusion in pairs."""
    found = evaluated(chosen(model))
    made = found.measured
    abpc = {r: {m: f.abpc.to_dict() for m, f in each.items()} for r, each in made.faithfulness.items()}
    return {
        "abpc": abpc,
        "methods": list(made.methods),
        "less": {r: less(each) for r, each in made.curves.items()},
        "against": "" if made.held is None else made.held.said,
        "windows": [len(found.sample.setting), found.sample.of],
        "sanity": made.sanity.stages[-1].similarity.rank.to_dict(),
        "noise": made.stability["noise"].similarity.rank.to_dict(),
        "power": made.stability["noise"].power.rank.to_dict(),
    }


def less(curves: Any, first: str = DIFFERENCE, second: str = OCCLUSION) -> dict[str, Any]:
    """ABPC of one method less another's, in pairs within windows."""
    mine, other = curves[first], curves[second]
    assert isinstance(mine, Curves)
    assert isinstance(other, Curves)
    return estimate(mine.abpc - other.abpc).to_dict()


def drawn_again(setting: Setting, seed: int) -> Setting:
    """The same windows and donors, held against other references."""
    own = setting.against
    candidates = own.candidates(setting.x)
    y = setting.explainer.predict({setting.input: candidates})[setting.explainer.output]
    donors = Transplant(setting.features, setting.x, donors=setting.donors, seed=setting.seed).donors
    return replace(setting, holding=own.held(setting.x, y if own.which == "other" else None, donors, seed))


def varied(model: str) -> dict[str, Any]:
    """ABPC of `difference` with ever more references, of either kind, and with others of the kind."""
    found = chosen(model)
    setting = found.setting
    maps = {OCCLUSION: setting.maps(OCCLUSION)}
    for which in ("other", "any"):
        for n in COUNTS:
            held = setting.held_against(replace(setting.against, which=which, references=n))
            maps[f"{which} {n}"] = held.maps(DIFFERENCE)
    for seed in range(1, DRAWS + 1):
        maps[f"again {seed}"] = drawn_again(setting, seed).maps(DIFFERENCE)
    fillings: list[Any] = [Transplant(setting.features, setting.x, seed=setting.seed)]
    fillings += [] if found.interpolation is None else [found.interpolation]
    made: dict[str, Any] = {}
    for filling in fillings:
        curves, numbers = faithfulness(setting, maps, filling, random=1)
        made[filling.name] = {
            m: {"abpc": numbers[m].abpc.to_dict(), "less": less(curves, m)} for m in maps if m != OCCLUSION
        }
    return made


def filled(model: str) -> dict[str, Any]:
    """What stands in the place of the two most relevant electrodes: its power, and how the answer falls."""
    found = chosen(model)
    setting, rows = found.setting, np.arange(len(found.setting))
    fillings: list[Any] = [Transplant(setting.features, setting.x, seed=setting.seed)]
    fillings += [] if found.interpolation is None else [found.interpolation]
    contract, target = setting.explainer.contract, np.asarray(setting.target)
    assert contract is not None
    made = []
    for group in np.abs(setting.maps(DIFFERENCE)).mean(0).argsort()[:-3:-1]:
        gone = np.zeros((len(rows), len(setting.features.names)), dtype=bool)
        gone[:, group] = True
        own = setting.features.power(setting.x)[:, group]
        for filling in fillings:
            drawn = [filling(setting.x, rows, gone, d) for d in range(filling.draws)]
            power = np.mean([setting.features.power(x)[:, group] for x in drawn], axis=0)
            fall = setting.explained - np.mean([setting.value(x, rows) for x in drawn], axis=0)
            for k, name in enumerate(contract.classes):
                some = target == k
                made.append(
                    {
                        "electrode": setting.features.names[group],
                        "class": name,
                        "replacement": filling.name,
                        "kept": float(power[some].mean() / own[some].mean()),
                        "fall": float(fall[some].mean()),
                    }
                )
    return {"rows": made}


def tuned(model: str) -> dict[str, Any]:
    """`onnxplain tune`."""
    found = chosen(model)
    made = tune(found.setting, default=difference("other", 4), also=found.interpolation)
    return made.summary()


MEASURES = {"evaluate": compared, "filled": filled, "references": varied, "tune": tuned}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", action="store_true", help="only write the document of what is there")
    warnings.simplefilter("ignore")
    if not parser.parse_args().page:
        for name, measure in MEASURES.items():
            for model in MODELS:
                key = f"{name} {model}"
                if key not in KEPT.read():
                    KEPT.add(key, measure(model))
                    print(key, file=sys.stderr, flush=True)
    DOCUMENT.write_text(written(KEPT.read(), MODELS), encoding="utf-8")


if __name__ == "__main__":
    main()
