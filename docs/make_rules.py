"""docs/rules.md: the rule of every operator, read from the rules themselves.

    python docs/make_rules.py

A test holds that the page is what this writes.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from onnxplain.engine.rules import layers, registry
from onnxplain.engine.secants import registry as secants

PAGE = Path(__file__).parent / "rules.md"
PAPERS = {
    "AttnLRP": "[Achtibat et al. 2024](https://arxiv.org/abs/2402.05602)",
    "Achtibat": "[Achtibat et al. 2024](https://arxiv.org/abs/2402.05602)",
    "Ali et al": "[Ali et al. 2022](https://arxiv.org/abs/2202.07304)",
    "Anders et al": "[Anders et al. 2021](https://arxiv.org/abs/2106.13200)",
    "LN rule": "[Ali et al. 2022](https://arxiv.org/abs/2202.07304)",
    "Bach et al": "[Bach et al. 2015](https://doi.org/10.1371/journal.pone.0130140)",
    "Montavon et al. 2017": "[Montavon et al. 2017](https://doi.org/10.1016/j.patcog.2016.11.008)",
    "Montavon et al. 2019": "[Montavon et al. 2019](https://doi.org/10.1007/978-3-030-28954-6_10)",
    "Shrikumar": "[Shrikumar et al. 2017](https://arxiv.org/abs/1704.02685)",
    "Lapuschkin et al. 2019": "[Lapuschkin et al. 2019](https://doi.org/10.1038/s41467-019-08987-4)",
}
# What a rule that cites nothing goes back to, by what kind of operator it is of.
GENERAL = {
    "linear": "Bach et al",
    "conv": "Bach et al",
    "add": "Bach et al",
    "scale": "Bach et al",
    "reduce": "Bach et al",
    "pool": "Bach et al",
    "product": "AttnLRP",
    "norm": "Ali et al",
    "activation": "AttnLRP",
}
HEAD = """# Rules

What each operator does to relevance. This page is made by `docs/make_rules.py` from the rules themselves.

What travels backwards is the multiplier `m`, relevance per unit of activation (R = x m), and, where
relevance is no multiple of the activation, a message `r` beside it (R = x m + r). An operator that is linear
in its input takes the adjoint: relevance is split in proportion to what each element puts in (LRP-0, Bach et
al. 2015, eq. 56), and moves carry it back to where it came from. Under the composite `gradient` every
operator takes its derivative instead.

The last column but one says how `r` gets past an operator: *move*, as its elements do; *gate*, unchanged
to its one signal; *own*, by the rule itself; *convert*, as a multiplier `r / (y + delta sign(y))`. "Since" is
the first version of the operator set that the rule is right for. An operator that is not here is written out
in others before (recurrent layers, attention of com.microsoft, ...), or the file is refused by name.

A rule for an operator of your own: [extending](extending.md).

## Rules of linear layers

Which of them a layer gets is the composite's choice ([composites](composites.md)).

| rule | what it does | paper |
|---|---|---|
"""

SECANTS = """
## Secants

Under the composite `difference` two passes are made, of a window and of a reference, and what travels
backwards is the multiplier of their difference: R = (x - x') m. In the tables below x and y are values of the
window's pass, x' and y' those of the reference's.

{about}

Exact at the middle of both passes: {middle}.

A token gets what its embedding differs by. What is not in the tables is written out in others before, or
refused by name; a function of one number of somebody else's gets the quotient of its values.
"""


def cited(*texts: str, kind: str = "") -> str:
    """The papers that a rule's words name, else what its kind goes back to."""
    for text in texts:
        found = dict.fromkeys(link for words, link in PAPERS.items() if words in text)
        if found:
            return ", ".join(found)
    return PAPERS[GENERAL[kind]] if kind in GENERAL else ""


def plain(text: str) -> str:
    """Words of a docstring as Markdown in a table."""
    return re.sub(r"``(.*?)``", r"`\1`", " ".join(text.split())).replace("|", "\\|").strip()


def first_paragraph(text: str | None) -> str:
    """The first paragraph of a docstring."""
    return (text or "").strip().split("\n\n")[0]


def page() -> str:
    """The whole page."""
    text = HEAD
    for name in ("epsilon", "gamma", "gamma_positive", "zplus", "alpha_beta", "wsquare", "flat", "zbox"):
        said = first_paragraph(inspect.getdoc(getattr(layers, f"_{name}")))
        text += f"| `{name}` | {plain(said)} | {cited(said)} |\n"
    by_module: dict[str, dict[str, list[registry.Rule]]] = {}
    for rule in registry.rules():
        if rule.domain in ("", "onnxplain"):
            module = rule.function.__module__
            by_module.setdefault(module, {}).setdefault(rule.function.__name__, []).append(rule)
    for module, functions in sorted(by_module.items()):
        about = inspect.getdoc(importlib.import_module(module)) or ""
        text += f"\n## {module.rpartition('.')[2].capitalize()}\n\n{_words(about)}\n\n"
        text += "| operator | since | kind | rule | r | paper |\n|---|---|---|---|---|---|\n"
        for rules in sorted(functions.values(), key=lambda each: each[0].op_type):
            names = ", ".join(f"`{r.op_type}`" for r in rules)
            since = ", ".join(map(str, sorted({r.since for r in rules})))
            rule = rules[0]
            said = first_paragraph(inspect.getdoc(rule.function))
            paper = cited(said, kind=rule.kind)
            text += f"| {names} | {since} | {rule.kind} | {plain(said)} | {rule.carry} | {paper} |\n"
    return text + secants_section()


def secants_section() -> str:
    """The secants of the composite `difference`, by where they are written."""
    text = SECANTS.format(
        about=_words(inspect.getdoc(secants) or ""),
        middle=", ".join(f"`{name}`" for name in sorted(secants.exact_at_middle())),
    )
    by_module: dict[str, dict[Any, list[str]]] = {}
    for (_, op_type), function in secants.secants().items():
        by_module.setdefault(function.__module__, {}).setdefault(function, []).append(op_type)
    for module, functions in sorted(by_module.items()):
        about = inspect.getdoc(importlib.import_module(module)) or ""
        text += f"\n### {module.rpartition('.')[2].capitalize()}\n\n{_words(about)}\n\n"
        text += "| operator | secant |\n|---|---|\n"
        for function, op_types in sorted(functions.items(), key=lambda each: min(each[1])):
            names = ", ".join(f"`{name}`" for name in op_types)
            text += f"| {names} | {plain(first_paragraph(inspect.getdoc(function)))} |\n"
    return text


def _words(docstring: str) -> str:
    """A module's docstring as Markdown."""
    text = re.sub(r"``(.*?)``", r"`\1`", docstring, flags=re.DOTALL).strip()
    return re.sub(r"^ +`", "`", text, flags=re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
