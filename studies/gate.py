"""The gate on planted cases. Writes docs/gate.md.

    python studies/gate.py            trains and runs what is missing, writes the page
    python studies/gate.py --page     only the page, of what has been measured

The bench (`studies/bench`) has three parts. The open one was looked at while parts and thresholds of the gate
were settled. Of the locked one and of the sealed one, seeds and expectations were committed before each was
run, once; what the locked one showed was mended before the sealed one was made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE / "bench"))

import page  # noqa: E402
from correctness import machine  # noqa: E402
from shared import HALVES  # noqa: E402
from thirteen import KEPT  # noqa: E402
from thirteen_page import written as thirteen  # noqa: E402

DOCUMENT = HERE.parent / "docs" / "gate.md"
SEEN = ("sealed", "locked", "open")  # what the gate was made and mended with
MENDED = "mended"  # their runs by the gate as it is

HEAD = """# The gate on planted cases

How often is the verdict of `onnxplain validate` right? Networks of eight kinds (EEGNet, ShallowFBCSPNet,
EEGConformer, ATCNet, Deep4Net, a patch transformer, a GRU, logistic regression on band power) are trained
on simulated recordings of thirteen tasks (motor imagery of two and three classes, grip, P300, errors,
resting alpha, workload, sleep, arousal as a number, temporal gamma, frontal asymmetry, readiness, flicker),
with 19 and 32 electrodes, at 125 to 256 Hz, in windows of 1 to 4 s. In an honest case the task's own source
decides; in a shortcut something else goes with the label, and the task's source by chance or hardly.
Everything that a real recording has and that says nothing (blinks, saccades, jaw, heart, mains, drift,
uneven electrodes) is in all of them.

What is right was written down before any run (`studies/bench`): the exit code, and words of which one has
to be in the verdict for the cause to be named right. A network counts when it does what its case says: a
shortcut's decides by it in 70 % of trials, also where it contradicts the label; an honest one is right in
65 % (r of 0.4 for a number). Each case is run under a policy that declares what the *task* may use, as
somebody would who knows the task and not the case, and under one that declares nothing: then the best
verdict is WARNING, and an honest network must never FAIL. Both have `warning_exits: 1`.

The cases are in three parts with kinds of shortcut of their own, made by people who did not know how the
gate looks. The gate was made with the open part at hand. The locked one was run once, and showed what the
gate could not name; what was a kind was mended. Then the sealed part was made, with fifteen new kinds, six
new tasks and two new architectures (an LSTM with attention, a convolution net with group norms); seeds and
expectations were committed before it was run, once, and nobody who worked on the gate had seen it. The
numbers to go by are those of the sealed part. While cases were being made, about fifteen of each part got
another network or size, since theirs had not learnt what the case says; none was changed after a run.
Everything is made by `python studies/gate.py`. Intervals are Wilson's, 95 %.
"""

LOCKED = """## The locked part

Run once, by the gate before it knew fields, clipping and labels: with what the task expects, honest networks
got exit 0 in 16 of 17 (94 %, 73 to 99 %), shortcuts exit 1 in 26 of 30 (87 %, 70 to 95 %) and the right name
in 14 of 30 (47 %, 30 to 64 %); controls never exit 0 (6 of 6). Without `expects` no honest network failed
(17 of 17). Missed were a swallow inside the declared bands (twice), weak clipping, and a line of 16.7 Hz
inside declared beta. Mended, each with tests of its own: references and bridges as recordings have them,
with noise and behind filters; a narrow line that all electrodes share; clipping; stretches at a window's ends
called so; a gain that slow and fast frequencies do not both have is a filter; whose field on the head goes
with the decision. No threshold was changed.
"""

SINCE = """## Since the sealed run

What it missed was looked at, and mended where it is a kind: padding and lost data behind filters (moments in
which all electrodes are silent), a plug of electrodes whose polarity is turned round, fields that hardly a
source in the head has (its bound of 1.5 was set after these cases were seen, by what patches of cortex
reach); what one electrode has alone counts inside the declared regions only outside of the declared bands.
Taken back: the gate of the sealed run let parts of 20 to 50 % pass that say nothing of the labels, which lets
shortcuts pass, too, that the data at hand has broken. One of the sealed verdicts hung on it: an honest
network (uneven spindles) would have got a WARNING, so that 17 of 20 is the number of the gate without it.
Not mended: a delay between two amplifiers, a time constant inside the declared bands, a phone's bursts whose
field is another in each subject. No other threshold was changed.

The gate has changed once more after all of that, for speed and after one test: a part that no pair goes along
with is left after four tenths of the pairs, independent components begin at FastICA's solution, and a
component with 0.95 of its map on one electrode is that electrode's whatever ICLabel says. The table below is
the whole sealed part by the gate as it is; the locked one and the open one are from before.
"""

SECOND = """## What has been seen: the {half} part, while the gate was mended

Those of its cases that were run again meanwhile, by the gate as it was that day. They show what was mended,
and no more. An honest one (flicker, the locked part's) passed by the rule that has been taken back since, and
warns again.
"""

AGAIN = """## The sealed part once more, by the gate as it is

Its cases had been looked at by then, and what was mended was mended on some of them: this shows that nothing
was lost, and no more.
"""

FOOT = """## What this does not show

Recordings are simulated, heads are spheres, and a cue is planted at a size that a network learns. The gate
has no account of what lies inside the task's own bands and electrodes, and the bench has such cases: they
are among those missed. On real recordings labels, sites and people go together in ways that nobody has
planted.
"""


def main() -> None:
    """Measure what is missing, and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", action="store_true", help="only write the document of what is there")
    if not parser.parse_args().page:
        for half in HALVES:
            for script in ("make.py", "run.py"):
                subprocess.run([sys.executable, HERE / "bench" / script, "--half", half], check=True)
        subprocess.run([sys.executable, HERE / "thirteen.py", "--seeds", "1"], check=True)
    parts = [HEAD, page.page("sealed"), SINCE, LOCKED]
    for half in SEEN:
        if any(page.results(half, policy, MENDED).read() for policy in page.POLICIES):
            parts.append(page.page(half, MENDED, AGAIN if half == "sealed" else SECOND.format(half=half)))
    parts += [thirteen(KEPT.read()), FOOT, machine(), ""]
    DOCUMENT.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
