"""docs/evaluation.md of what studies/evaluation.py measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from correctness import machine, table

REPLACEMENTS = ("transplant", "interpolation")
Found = Mapping[str, Mapping[str, Any]]

HEAD = """\
# Evaluation

How good is a map, where nobody knows the truth? `onnxplain evaluate` and `onnxplain tune` ask the model
itself. This page says what each number means, where it is from, and what it does not say. Where the truth
was planted, [ground-truth.md](ground-truth.md) has a stronger answer.

*Features* are what is taken away and ranked as one: electrodes (over the whole window), seconds of
electrodes, or frequency bands of all electrodes; for arrays, places along the first axis. Relevance is
summed within them, with its sign; a band's goes through the multiplier, and of a difference each is the
mean over references. Each number is a mean over windows with a 95 % percentile bootstrap interval over
windows, and stands beside the same for **random** relevance (or orders) and for **power**: each feature's
variance in the place of relevance, which knows nothing of the model.

## Faithfulness

Features are taken away in the order of relevance, and the number that was explained (by default the
predicted class against the mean of the others) is followed. f(q) is its value when the part q of the
features is gone.

| number | what it is | good | from |
|---|---|---|---|
| AOPC | mean of f(0) - f(q) over even steps (0 too), most relevant first | high | Samek et al. 2017, eq. 12 |
| AOPC, least first | the same, least relevant first | low | Samek et al. 2017 |
| deletion | area under f, most relevant first, over the part taken away | low | Petsiuk et al. 2018 |
| insertion | area under f, most relevant put back first | high | Petsiuk et al. 2018 |
| ABPC | insertion less deletion: the area between both curves | high | Bluecher et al. 2024 |

The input that keeps only the k most relevant features is the one that lost all others, least relevant
first: insertion is the least-first curve read from its other end, and needs no runs of its own. An order
that knows nothing has an ABPC ("symmetric relevance gain") of 0, whatever the replacement does to the
model; hence ABPC decides, and AOPC is read less that of random orders (*over random*, in pairs within
windows).

**What stands in the place of what is gone** is never zeros: a flat electrode is an input that no model was
trained on. It is

* *transplant*: the same feature from other windows of the recording (4 donors by default, the mean over
  them; the same donors for every method, order and step);
* *interpolation*: for electrodes with known positions, spherical splines from those that remain (Perrin et
  al. 1989, with MNE's constants). Curves end where a quarter of the electrodes is left.

The two ask different things. A transplant brings what another window had there, evidence for its own class
too; a spline brings back whatever the neighbours know. They can disagree about which method is best, and do
on the demo's models below. The report then says so, and no method is *the* most faithful.

What it costs: windows x donors x steps x 2 x (methods + power + 5 random orders) runs of the model for
transplants, and a donor's worth for splines: with everything as it comes 64 x 4 x 8 x 2 x 14 + 64 x 8 x 2 x
14, about 72,000. For a large network take fewer windows (`--windows 16`) or methods; more than 200,000 runs
are refused.

It does not say: that the model is right; where the truth lies; anything of features that matter only
together (they fall with the first of them); or what the model would do on windows that exist. *Occlusion*
(here: the fall when one feature is transplanted from other donors) is the first step of the transplant
curves: that it does well there is in part the same measurement made twice. *Exchange* is the same with a
window's references. Where *power* does as well as a method, the model may go by what is strong, or strong
signals are simply what changes most when they are replaced.

## References

Windows of a recording are explained against others, as by `explain` (`--against other`, `--references 4`):
the composite `difference`, `expected_gradients` (the same references, eight steps from each) and `exchange`
(the fall when one feature is taken from a reference, the mean over them) all have the same ones. They are
drawn among the windows that are evaluated and as many others of the recording, but **never among those that
a window's features are transplanted from**: a map must not know what it will be tested with. (Where a
window has no others, and only then, one of these is taken.) With random weights, noise and shifts the
references stay what they are. `--against none` compares the methods that need none.

What comes first in the report, and what sanity and stability are of, is what `explain` shows first:
`difference` for recordings, `attnlrp` for arrays and for `--against none`; `--composite` names another.

## Sanity

Rank correlation (Spearman, of |relevance| over features) between the map of the model and that of copies in
which ever more layers have permuted weights, from the output on (Adebayo et al. 2018); with all layers
permuted it is Quantus' MPRT. And the cosine between the maps of the explained class and of another one at
random, by their plain outputs (RandomLogit; Sixt et al. 2020). A network of two classes whose outputs are
each other's negative has -1 there whatever the method.

Necessary, and no ranking. A map that stays the same under random weights explains the input. But there is
no right amount of change: skip connections carry the input past random layers, and noise passes the test
best (Binder et al. 2023).

## Stability

Maps before and after white noise (20 dB below each channel's signal), a shift by two samples to either
side, and a quarter of the features transplanted (the map of the others is compared): rank correlation and
cosine, beside those of the features' power, of two random maps, and the change of the explained number
itself: a map that moves because the output did is right to move. Average and maximum sensitivity (Yeh et
al. 2019; Quantus' AvgSensitivity and MaxSensitivity): |R(x') - R(x)| / |R(x)| under noise, mean and largest
of 5 draws. Quantus divides by the input's size by default; here it is the map's, so that the number has no
unit.

A map that never changes is the most stable, and says nothing.

## Agreement

Spearman's correlation of |relevance| and the intersection of the most relevant quarter ("feature
agreement", Krishna et al. 2022) between each two methods, random relevance and power. Methods that agree
may share a blind spot: every rule that holds the standard deviation of norms constant does
([ground-truth.md](ground-truth.md)).

## Complexity

Entropy of the features' parts of |relevance| (Bhatt et al. 2020; Quantus' Complexity), its exponential
(*effective groups*), the Gini index (Chalasani et al. 2020; Sparseness), and how many features have more
than 1 % of the largest (Nguyen & Martinez 2020; EffectiveComplexity, whose default in Quantus is 0.001 %).
Short is readable, not right.

## Intervals

Windows of one recording are neighbours in time and have one person. The intervals tell how much a mean
depends on which windows were drawn. They do not say what another recording would give; for that, evaluate
several.
"""


def written(found: Found, models: Sequence[str]) -> str:
    """The document: what each number means, and the demo's models."""
    parts = [HEAD, _choosing(found, models)]
    there = [m for m in models if f"evaluate {m}" in found]
    if there:
        parts.append(_compared(found, there))
    there = [m for m in models if f"filled {m}" in found]
    if there:
        parts.append(_filled(found, there))
    there = [m for m in models if f"references {m}" in found]
    if there:
        parts.append(_references(found, there))
    return "\n".join([*parts, machine(), ""])


def _choosing(found: Found, models: Sequence[str]) -> str:
    """What tune does, and what it says of the demo's models."""
    said = [CHOOSING]
    for model in models:
        made = found.get(f"tune {model}")
        if made is not None:
            best = "; ".join(f"{t['name']}: {_number(t['abpc'])}" for t in made["tried"][:4])
            said.append(
                f"On *{model}*: {made['sentence']} On the half that chooses, the first four are: {best}.\n"
            )
    return "\n".join(said)


def _compared(found: Found, models: Sequence[str]) -> str:
    """The table of methods, and `difference` held against occlusion and each reading."""
    each = {m: found[f"evaluate {m}"] for m in models}
    first = each[models[0]]
    columns = [(m, r) for m in models for r in REPLACEMENTS if r in each[m]["abpc"]]
    names = [*first["methods"], "power", "random"]
    rows = [(_named(name), *(_cell(each[m]["abpc"][r][name]) for m, r in columns)) for name in names]
    windows, of = first["windows"]
    text = [
        "## The demo's models\n",
        f"{windows} of the recording's {of} windows, seed 0, `onnxplain evaluate` as it comes: against "
        f"{first['against']}. ABPC in logits with its interval.\n",
        table(("", *(f"{m}, {r}" for m, r in columns)), rows),
        "",
    ]
    for m, r in columns:
        e = each[m]["less"][r]
        text.append(
            f"* *{m}*, {r}: `difference` less occlusion, in pairs within windows, {_cell(e)}: {_told(e)}."
        )
    text.append("")
    for m in models:
        leaders = {
            r: max(each[m]["methods"], key=lambda n, s=each[m]["abpc"][r]: s[n]["value"])
            for r in each[m]["abpc"]
        }
        led = ", ".join(f"{_named(n)} by {r}" for r, n in leaders.items())
        sane, noise, power = (_cell(each[m][k]) for k in ("sanity", "noise", "power"))
        text.append(
            f"On *{m}* the largest area is {led}. With all weights random the map of `difference` keeps a "
            f"rank correlation of {sane} with the trained model's; under noise {noise}, the signal's power "
            f"{power}."
        )
    return "\n".join([*text, "", READ, ""])


def _filled(found: Found, models: Sequence[str]) -> str:
    """What stands in the place of the electrodes that count most."""
    rows = [
        (m, r["electrode"], r["class"], r["replacement"], f"{r['kept']:.0%}", f"{r['fall']:+.2f}")
        for m in models
        for r in found[f"filled {m}"]["rows"]
    ]
    head = ("model", "electrode", "windows of", "replaced by", "its power", "answer falls by")
    return "\n".join([FILLED, table(head, rows), "", BOTH, ""])


def _references(found: Found, models: Sequence[str]) -> str:
    """How many references, of which windows, and others of the kind."""
    each = {m: found[f"references {m}"] for m in models}
    columns = [(m, r) for m in models for r in REPLACEMENTS if r in each[m]]
    names = list(each[models[0]][columns[0][1]])
    rows = [
        (_variant(name), *(f"{each[m][r][name]['abpc']['value']:.2f}" for m, r in columns)) for name in names
    ]
    fours = [name for name in names if name == "other 4" or name.startswith("again")]

    def span(m: str) -> str:
        less = [each[m]["transplant"][name]["less"]["value"] for name in fours]
        return f"*{m}* {min(less):+.2f} to {max(less):+.2f}"

    return "\n".join(
        [
            "## Which references, and how many\n",
            "The same windows and donors, `difference` against others. ABPC in logits; intervals are about "
            "as wide as above.\n",
            table(("references", *(f"{m}, {r}" for m, r in columns)), rows),
            "",
            f"By transplant four that the model calls otherwise have, over occlusion and from draw to draw, "
            f"{', '.join(map(span, models))}.\n",
        ]
    )


def _variant(name: str) -> str:
    what, _, n = name.partition(" ")
    if what == "again":
        return f"4 that the model calls otherwise, draw {int(n) + 1}"
    return f"{n} that the model calls otherwise" if what == "other" else f"{n} of any"


def _named(method: str) -> str:
    return method.replace("_gradients", " gradients")


def _number(e: Mapping[str, float]) -> str:
    return f"{e['value']:.2f}"


def _cell(e: Mapping[str, float]) -> str:
    return f"{e['value']:.2f} ({e['low']:.2f} to {e['high']:.2f})"


def _told(e: Mapping[str, float]) -> str:
    if e["low"] > 0:
        return "more than occlusion"
    return "less than occlusion" if e["high"] < 0 else "not told from it"


CHOOSING = """## Choosing a composite and its references

`onnxplain tune` splits the windows into two halves at random. ABPC by transplant on the first chooses among
twelve composites against zero, and `difference` against 2, 4 or 8 windows, those that the model calls
otherwise or any (or those that `--against` names). A half knows nothing of the other: references are of the
same half, or of windows of the recording that are in neither. The second half, which had no say, gives the
choice's ABPC, the default's, and their difference in pairs; the default is what `explain` shows first. The
best of eighteen looks better on the first half than it is: read the second. Where splines can be had, the
difference by interpolation stands next to it; where one replacement finds the choice better and the other
worse, the sentence says that they contradict each other, and `better` is false.

What is written is a composite for `--composite`; its sentence, and the output, have the words for
`--against` and `--references` that go with it.
"""

FILLED = """\
## Why the two replacements disagree

The two electrodes that count most in the map of `difference`, one at a time: the power of what stands in
their place, of their own, and how far the answer falls (logits, mean over windows).
"""

BOTH = """\
Where an electrode's rhythm is its own, a spline of its neighbours has little of it: such a curve asks what
would be if the electrode fell nearly silent, and relevance against zero answers that. A weak rhythm that
decides by being weak then counts as evidence against. A transplant puts a usual signal there, and a
difference to other windows answers that."""

READ = """\
Read with care: a transplant asks what another window's signal there would change, which is also what a
difference to other windows explains; by interpolation, which brings nothing of another window, relevance
against zero can lead. Occlusion and exchange are one step of the transplant curves. Random orders lie
within their noise around 0: five orders in each window."""
