"""The page of a blinded review: one file that loads nothing, and exports answers as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from .reports.html import safe

JUDGEMENTS = ("plausible", "not plausible", "unsure")

_CSS = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 76rem; padding: 1rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
fieldset { border: 1px solid #bbb; border-radius: 6px; margin: 0; padding: .5rem .8rem; min-width: 0; }
fieldset.missing { border-color: #b30000; box-shadow: 0 0 0 2px #b30000; }
legend { font-weight: 600; padding: 0 .3rem; overflow-wrap: anywhere; }
img { display: block; width: 100%; max-width: 24rem; height: auto; margin: 0 auto; }
p { max-width: 46rem; margin: .4rem 0; }
.choice { display: flex; flex-wrap: wrap; gap: .1rem .9rem; }
.choice span { flex-basis: 100%; padding-top: .3rem; }
label { padding: .3rem 0; }
#bottom { position: sticky; bottom: 0; background: #fff; border-top: 1px solid #bbb; padding: .6rem 0;
  margin-top: 1rem; }
input[type=text] { font: inherit; padding: .3rem; max-width: 100%; box-sizing: border-box; }
button { font: inherit; padding: .4rem 1rem; }
"""

_JS = """
"use strict";
const form = document.querySelector("form"), said = document.querySelector("#said");
function answers() {
  const out = {}, missing = [];
  for (const box of document.querySelectorAll("fieldset[data-id]")) {
    const j = box.querySelector("input[name^=j]:checked"), c = box.querySelector("input[name^=c]:checked");
    box.classList.toggle("missing", !j || !c);
    if (!j || !c) missing.push(box);
    else out[box.dataset.id] = { judgement: j.value, confidence: Number(c.value) };
  }
  return [out, missing];
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const expert = document.querySelector("#expert").value.trim(), [out, missing] = answers();
  if (!expert) { said.textContent = "Please give a name or initials."; return; }
  if (missing.length) {
    said.textContent = "Not answered yet: " + missing.length + ". They are framed in red.";
    missing[0].scrollIntoView();
    return;
  }
  const text = JSON.stringify({ review: form.dataset.review, expert: expert, answers: out }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "answers-" + expert.replace(/[^\\p{L}\\p{N}]+/gu, "_") + ".json";
  document.body.append(link);
  link.click();
  link.remove();
  said.textContent = "Saved as " + link.download + ". Please send this file back.";
});
"""


def render(review: str, items: Sequence[tuple[str, str, str]]) -> str:
    """The page as HTML.

    Parameters
    ----------
    review : str
        What the answers name the review by.
    items : sequence of (id, class, data URI)
        In the order shown.

    Returns
    -------
    str
    """
    boxes = "\n".join(_box(k, *item) for k, item in enumerate(items, 1))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Review of head maps</title><style>{_CSS}</style></head><body>
<h1>Review of head maps</h1>
<p>Each map shows, seen from above, which electrodes speak for the class named above it (red) and which
against it (blue), in one window of EEG. Is the pattern one that you would expect for that class?</p>
<p>Every map is drawn at its own scale. Some maps may have no meaning; how many is not said here.</p>
<form data-review="{safe(review)}">
<p><label for="expert">Your name or initials</label>
<input type="text" id="expert" maxlength="80" autocomplete="off"></p>
<main>
{boxes}
</main>
<div id="bottom"><button type="submit">Save the answers</button> <span id="said" role="status"></span></div>
</form>
<script>{_JS}</script></body></html>
"""


def _box(number: int, item: str, name: str, picture: str) -> str:
    judged = "".join(
        f'<label><input type="radio" name="j{number}" value="{j}"> '
        f"{'plausible for the class' if j == 'plausible' else j}</label>"
        for j in JUDGEMENTS
    )
    sure = "".join(
        f'<label><input type="radio" name="c{number}" value="{c}"> {c}</label>' for c in range(1, 6)
    )
    return (
        f'<fieldset data-id="{safe(item)}"><legend>Map {number}: {safe(name)}</legend>'
        f'<img alt="Head map {number}" src="{picture}">'
        f'<div class="choice" role="radiogroup" aria-label="Judgement of map {number}">{judged}</div>'
        f'<div class="choice" role="radiogroup" aria-label="Confidence in map {number}, 1 low to 5 high">'
        f"<span>Confidence (1 low, 5 high)</span>{sure}</div></fieldset>"
    )
