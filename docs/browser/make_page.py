"""Make the folder that the browser page is served from.

python docs/browser/make_page.py [FOLDER]     by default build/browser

It gets the page, the viewer of the reports, onnxruntime-web, where electrodes lie, the demo's two models
compiled, its recording and one window of it. Each model is compiled twice: by `attnlrp`, and by `difference`
with four other windows of the recording in the file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import onnxplain as ox
from onnxplain.eeg.demo import NAMES
from onnxplain.eeg.drawing.figures import order
from onnxplain.eeg.electrodes.names import template
from onnxplain.eeg.electrodes.positions import Electrodes, head_positions
from onnxplain.eeg.electrodes.regions import regions_of
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.windows import cut
from onnxplain.eeg.reports.viewer import page as viewer
from onnxplain.models import demo_file

HERE = Path(__file__).parent
PAGE = (
    "index.html", "page.css", "page.js", "map.js", "model.js", "files.js",
    "recording.js", "windows.js", "edf.js", "names.js", "contract.js", "scaling.js", "head.js",
)  # fmt: skip
# The bundle has its loader inside and needs nothing but the WebAssembly beside it.
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
# A window that the two demo models disagree on.
REFERENCES = 4
LABEL, SAID = "left/contradict", "a window with the left hand imagined and a saccade to the right"


def install(source: Path, folder: Path) -> Path:
    """Install the packages of a lock file into a folder, where they are not there yet; the folder."""
    lock = source / "package-lock.json"
    # The copy of the lock file is made last: an install that was broken off is done again.
    done = folder / "installed.json"
    if done.is_file() and done.read_bytes() == lock.read_bytes() and (folder / "node_modules").is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not on this machine; install Node.js 20 or newer")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", lock.name):
        shutil.copyfile(source / name, folder / name)
    subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    shutil.copyfile(lock, done)
    return folder


def window(contract: ox.InputContract) -> dict[str, Any]:
    """The first window that they disagree on, and what a page must know to draw it."""
    found = cut(read(demo_file("recording.edf")), contract, events=LABEL)
    return {
        "input": contract.input,
        "output": contract.output,
        "shape": list(contract.shape),
        "channels": list(contract.channels),
        "classes": list(contract.classes or ()),
        "sfreq": contract.sfreq,
        "label": SAID,
        # Rows from front to back, as in the reports' figures.
        "order": order(found.channels),
        "regions": list(regions_of(found.channels)),
        # The shortest decimals that give the same float32 back.
        "data": [float(str(value)) for value in found.data[0].ravel()],
    }


def electrodes() -> dict[str, tuple[float, float]]:
    """Where a head map has each electrode of the 10-5 system, from front to back as in reports."""
    known = Electrodes(template())
    places = head_positions(known)
    return {known[i]: (round(places[known[i]][0], 6), round(places[known[i]][1], 6)) for i in order(known)}


def references(name: str) -> tuple[np.ndarray[Any, Any], str]:
    """Windows of the recording that a model calls otherwise than the page's, and what it calls them."""
    model = demo_file(f"{name}.onnx")
    contract = ox.inspect(model).contract
    assert contract is not None
    recording = read(demo_file("recording.edf"))
    own, others = (cut(recording, contract, **events).data for events in ({"events": LABEL}, {}))
    logits = ox.Explainer(model).predict(np.concatenate([own[:1], others]))[contract.output]
    said = logits.argmax(axis=1)
    fits = np.flatnonzero(said[1:] != said[0])
    chosen = np.sort(np.random.default_rng(0).choice(fits, REFERENCES, replace=False))
    return others[chosen], str((contract.classes or ())[1 - said[0]])


def build(folder: Path, packages: Path) -> None:
    """Make the folder, installing packages beside it."""
    dist = install(HERE, packages) / "node_modules" / "onnxruntime-web" / "dist"
    for name in ("ort", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        shutil.copyfile(HERE / name, folder / name)
    for name in RUNTIME:
        shutil.copyfile(dist / name, folder / "ort" / name)
    (folder / "viewer.js").write_text(viewer.module(), encoding="utf-8")
    (folder / "viewer.css").write_text(viewer.style(), encoding="utf-8")
    (folder / "electrodes.json").write_text(json.dumps(electrodes()), encoding="utf-8")
    shutil.copyfile(demo_file("recording.edf"), folder / "recording.edf")
    against = {}
    for name in NAMES:
        model, (others, said) = demo_file(f"{name}.onnx"), references(name)
        ox.compile(model, folder / "models" / f"{name}.lrp.onnx", ledger=True)
        to = folder / "models" / f"{name}.difference.onnx"
        ox.compile(model, to, "difference", ledger=True, references=others)
        against[name] = f"{len(others)} windows of the same recording that the model calls {said}"
    (folder / "models" / "references.json").write_text(json.dumps(against), encoding="utf-8")
    contract = ox.inspect(demo_file("honest.onnx")).contract
    assert contract is not None
    (folder / "window.json").write_text(json.dumps(window(contract)), encoding="utf-8")


def main() -> None:
    """Build, and say how to look at it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parents[1] / "build" / "browser")
    folder = parser.parse_args().folder
    build(folder, folder.with_name("packages") / "page")
    print(f"made {folder}; look at it with: {Path(sys.executable).name} -m http.server -d {folder}")


if __name__ == "__main__":
    main()
