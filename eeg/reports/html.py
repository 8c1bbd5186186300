"""Pages from jinja2 templates; they load nothing from anywhere, and every word of a file is escaped.

What a template prints is made one printable line (`text.plain`) and escaped, unless it is markup that a
template or `data_uri` made. So no report has to think of it, and none can forget it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..artefacts.glossary import EYES
from ..drawing import resolution
from ..drawing.sections import Paragraph, Strong, Table, Term
from ..text import counted, plain
from . import content_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 400  # characters of one printed value
_UNCUT = 10_000  # characters of a paragraph, which no file makes long
_ENCODING = re.compile(rb"<meta charset=[^>]*>", re.IGNORECASE)  # of a page of mne.Report
# A screen that settles while the page loads: the script of mne.Report would look for what is not there yet.
_EARLY = (
    "addEventListener('resize', "
    "(e) => document.readyState === 'complete' || e.stopImmediatePropagation(), true)"
)
_LINK = re.compile(rb'(<span class="me-auto">)<a href="#[^"]*"[^>]*>(.*?)</a>(</span>)', re.DOTALL)
_ON_PAPER = 0.62  # pixels on the page for one of a figure's file, which is drawn finer than a page shows


@dataclass(frozen=True)
class Slides:
    """Figures in a row, with a slider; a caption each."""

    figures: tuple[Figure, ...]
    title: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """A figure that was written: where, and what stands above and below it."""

    path: Path
    title: str
    caption: str

    @property
    def files(self) -> tuple[Path, ...]:
        """PNG, SVG, and PDF where one was written."""
        beside = (self.path.with_suffix(kind) for kind in (".svg", ".pdf"))
        return self.path, *(path for path in beside if path.exists())

    @property
    def image(self) -> bytes:
        """The PNG."""
        return self.path.read_bytes()

    @property
    def width(self) -> int:
        """Pixels it has on a page that is wide enough."""
        with self.path.open("rb") as file:
            wide = int.from_bytes(file.read(20)[16:], "big")
        return round(wide * _ON_PAPER * resolution.DEFAULT / resolution.dpi())


def _printed(value: object) -> object:
    """What a template prints for a value: markup as it is, anything else as one line, not yet escaped."""
    return value if hasattr(value, "__html__") else plain(value, LONGEST)


def data_uri(png: bytes) -> Markup:
    """A picture as a data URI.

    Parameters
    ----------
    png : bytes

    Returns
    -------
    Markup
        Longer than other values may be, and of letters that need no escaping.
    """
    return Markup("data:image/png;base64,") + base64.b64encode(png).decode("ascii")


def prose(words: Paragraph) -> Markup:
    """A paragraph as it is written in a section: escaped, with what stands out in bold or italics.

    Parameters
    ----------
    words : str or tuple of str, Strong and Term

    Returns
    -------
    Markup
        In one line, however long it is.
    """
    forms = {Strong: Markup("<b>{}</b>"), Term: Markup("<i>{}</i>")}
    found = Markup()
    for piece in (words,) if isinstance(words, str) else words:
        if isinstance(piece, str):
            # A piece keeps the space that parts it from its neighbours.
            first, last = (" " if each.isspace() else "" for each in (piece[:1], piece[-1:]))
            found += f"{first}{plain(piece, _UNCUT)}{last}"
        else:
            found += forms[type(piece)].format(plain(piece.text, _UNCUT))
    return found


def package_element(text: str, tag: str) -> Markup:
    """A script or style of this package, as an element; nothing of a file may be in it.

    Parameters
    ----------
    text : str
    tag : {"script", "style"}
    """
    if f"</{tag}" in text.lower():
        raise ValueError(f"the text of a {tag} element may not end it")
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), Markup(text))


def json_element(value: object, name: str) -> Markup:
    """Data for a script, as an element that runs nothing; no text in it can end it.

    Parameters
    ----------
    value : object
        What JSON can hold; names in it are lines already (`text.plain`).
    name : str
        Its id.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup('<script type="application/json" id="{}">{}</script>').format(name, Markup(text))


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(fmt=format, data_uri=data_uri, plain=plain, prose=prose)
    made.filters.update(package_element=package_element, json_element=json_element)
    made.tests["finite"] = math.isfinite
    made.tests["table"] = lambda shown: isinstance(shown, Table)
    made.globals["counted"] = counted
    made.globals["eye_numbers"] = EYES
    return made


_ENVIRONMENT = _environment()


def render(template: str, **context: Any) -> str:
    """A page that is whole by itself.

    Parameters
    ----------
    template : str
        A file of the folder ``templates``.
    **context
        What it prints.

    Returns
    -------
    str
        HTML.
    """
    page = _ENVIRONMENT.get_template(template)
    # Nothing that is printed goes into these two, so they are the same on every page of the template.
    script, style = (
        "".join(page.blocks[name](page.new_context())) if name in page.blocks else ""
        for name in ("script", "style")
    )
    told = Markup(content_policy.policy([script], [style]))  # of letters that need no escaping
    return page.render(context, policy=told) + "\n"


def write(template: str, path: Path, *, scripts: Sequence[str] = (), **context: Any) -> Path:
    """Write a report of sections, which mne.Report lists and folds.

    Parameters
    ----------
    template : str
        A file of the folder ``templates``. It sets ``title`` and makes each section by
        ``{% call section(heading) %}``, or by ``slides(...)``. Headings are our own words, never a file's:
        mne.Report also makes identifiers of them.
    path : Path
    scripts : sequence of str
        What stands in script elements of the template, as it is: no other runs. Nothing of a file may be in
        it.
    **context
        What the template prints.

    Returns
    -------
    Path
    """
    import mne

    title, sections = _sections(template, context)
    report = mne.Report(title=title, verbose="error")
    report.add_custom_css(_ENVIRONMENT.get_template("report.css.html").render())
    for heading, content in sections:
        if isinstance(content, Slides):
            report.add_figure(
                list(content.figures), heading, caption=[escape(_printed(c)) for c in content.captions],
                image_format="png", tags=("onnxplain",),
            )  # fmt: skip
        else:
            html = str(Markup("<div class='onnxplain'>{}</div>").format(content))
            report.add_html(html, title=heading, tags=("onnxplain",))
    report.save(path, overwrite=True, open_browser=False, verbose="error")
    path.write_bytes(_held(_without_links_in_buttons(path.read_bytes()), scripts))
    return path


def _without_links_in_buttons(page: bytes) -> bytes:
    """The page without the links that mne.Report has inside the buttons which fold sections.

    A link in a button is two controls in one, which no screen reader can tell apart; the list at the left
    links to every section anyhow.
    """
    return _LINK.sub(rb"\1\2\3", page)


def _held(page: bytes, scripts: Sequence[str]) -> bytes:
    """A page of mne.Report with its policy, which stands behind the encoding: that has to come early."""
    # mne.Report says nothing of the screen; telephones then lay a page out as if they were 980 pixels wide.
    tag = Markup(
        '\n<meta http-equiv="Content-Security-Policy" content="{}">'
        '\n<meta name="viewport" content="width=device-width, initial-scale=1">'
        "\n<script>{}</script>"
    ).format(content_policy.of_reports([_EARLY, *scripts]), Markup(_EARLY))
    made, n = _ENCODING.subn(lambda found: found[0] + tag.encode(), page, count=1)
    if not n:
        raise RuntimeError("mne.Report names no encoding, so there is no place for the policy of its page")
    return made


def _sections(template: str, context: Mapping[str, Any]) -> tuple[str, Sequence[tuple[str, Markup | Slides]]]:
    """The title that a template sets, and its sections in order: a heading, and markup or figures."""
    found: list[tuple[str, Markup | Slides]] = []

    def section(heading: str, caller: Callable[[], Markup]) -> str:
        found.append((heading, caller()))
        return ""

    def slides(shown: Slides) -> str:
        found.append((shown.title, shown))
        return ""

    module: Any = _ENVIRONMENT.get_template(template).make_module(
        {**context, "section": section, "slides": slides}
    )
    return str(module.title), found


def provenance(about: Mapping[str, Any], data: str, *, target: bool = False) -> Table:
    """Files with their hashes, options and versions.

    Parameters
    ----------
    about : mapping
        "model" and "data" with "file" and "sha256", "options", "versions"; with `target`, "target" and
        "contrast".
    data : str
        What the data are called.
    target : bool
        Whether to say what was explained.

    Returns
    -------
    Table
    """
    rows: list[tuple[str, object]] = [
        (what, f"{about[key]['file']} (sha256 {about[key]['sha256']})")
        for what, key in (("model", "model"), (data, "data"))
    ]
    if target:
        rows += [("target", about["target"]), ("contrast", about["contrast"] or "none")]
    options = {str(k).replace("_", " "): v for k, v in about["options"].items()}
    absent = [name for name, value in options.items() if value in (None, {})]
    rows += [(name, value) for name, value in options.items() if name not in absent]
    rows += [("not given", ", ".join(absent))] if absent else []
    return Table((), [*rows, ("versions", said_versions(about["versions"]))])


def said_versions(versions: Mapping[str, str]) -> str:
    """Names and versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
