"""An HTML page through mne.Report that loads nothing from anywhere, every word of a file escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mne
from matplotlib.figure import Figure

from ..text import plain

_CSS = """
body { font-size: 15px; line-height: 1.5; color: #222; }
#top-bar .navbar-brand img, #filter-by-tags-dropdown-menu, .badge[data-mne-tag] { display: none !important; }
#top-bar .navbar-brand { min-width: 0; white-space: normal; }
.onnxplain table { border-collapse: collapse; margin: .4em 0 1em; }
.onnxplain th, .onnxplain td { padding: .18em 1.1em .18em 0; text-align: left; vertical-align: top; }
.onnxplain td.n, .onnxplain th.n { text-align: right; font-variant-numeric: tabular-nums; }
.onnxplain td.t { overflow-wrap: anywhere; min-width: 6em; }
.onnxplain thead th { border-bottom: 1px solid #bbb; font-weight: 600; }
.onnxplain .wide { overflow-x: auto; }
.onnxplain .answer { font-size: 1.12em; max-width: 46em; }
.onnxplain p, .onnxplain li, .onnxplain figcaption { max-width: 52em; }
.onnxplain .bar { display: inline-block; height: .7em; background: #6a51a3; }
.onnxplain figure { margin: 0; }
.onnxplain img { width: 100%; height: auto; }
.accordion-button { font-size: 1.05em; }
@media (max-width: 900px) {
  #toc { display: none; }
  #toc + div { width: 100% !important; margin-left: 0 !important; flex: 0 0 100%; max-width: 100%; }
}
@media (max-width: 600px) {
  body { font-size: 14px; }
  .onnxplain th, .onnxplain td { padding-right: .7em; }
  .onnxplain .wide-figure { overflow-x: auto; }
  .onnxplain .wide-figure img { width: 640px; }
  .accordion-body { padding: .7em .5em; }
  .fs-3 { font-size: 1.1rem !important; }
}
"""


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
    def files(self) -> tuple[Path, Path]:
        """PNG and SVG."""
        return self.path, self.path.with_suffix(".svg")


def safe(text: object) -> str:
    """Text for HTML: one printable line, escaped."""
    return html.escape(plain(text, 400))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = ()) -> str:
    """An HTML table; every cell is escaped, columns in `numbers` are set flush right."""
    right = set(numbers)

    def cells(row: Sequence[object], tag: str) -> str:
        return "".join(
            f"<{tag} class='{'n' if i in right else 't'}'>{safe(c)}</{tag}>" for i, c in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if head else ""
    return f"<div class='wide'><table>{top}<tbody>{body}</tbody></table></div>"


def bullets(sentences: Iterable[object]) -> str:
    """An HTML list; every sentence is escaped."""
    return "<ul>" + "".join(f"<li>{safe(s)}</li>" for s in sentences) + "</ul>"


def page(title: str, sections: Sequence[tuple[str, str | Drawing | Slides]], path: Path) -> Path:
    """Write a page through mne.Report.

    Parameters
    ----------
    title : str
    sections : sequence of (str, str, Drawing or Slides)
        Heading and HTML, or heading and figure or figures. Headings are our own words, never a file's:
        mne.Report also makes identifiers of them.
    path : Path
    """
    report = mne.Report(title=title, verbose="error")
    report.add_custom_css(_CSS)
    for heading, content in sections:
        if isinstance(content, Slides):
            report.add_figure(
                list(content.figures), heading, caption=[safe(c) for c in content.captions],
                image_format="png", tags=("onnxplain",),
            )  # fmt: skip
            continue
        if isinstance(content, Drawing):
            png = content.path.read_bytes()
            width = round(int.from_bytes(png[16:20], "big") * 0.62)
            image = (
                f"<img alt='{safe(content.title)}' style='max-width: {width}px' "
                f"src='data:image/png;base64,{base64.b64encode(png).decode('ascii')}'>"
            )
            body = (
                f"<figure><div class='wide-figure'>{image}</div>"
                f"<figcaption>{safe(content.caption)}</figcaption></figure>"
            )
        else:
            body = content
        report.add_html(f"<div class='onnxplain'>{body}</div>", title=heading, tags=("onnxplain",))
    report.save(path, overwrite=True, open_browser=False, verbose="error")
    return path
