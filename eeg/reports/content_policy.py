"""What a page may load and run: nothing but what is in it (Content-Security-Policy, as a meta tag).

Every word of a file is escaped on a page already. Should one not be, a browser still runs no script that is
not ours: scripts are named by their hashes, which are taken from templates, never from a page that has
something of a file in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)


def policy(scripts: Iterable[str], styles: Iterable[str] | None, *, fonts: bool = False) -> str:
    """The policy of a page.

    Parameters
    ----------
    scripts : iterable of str
        What stands in its script elements; no other script runs, nor one in an attribute.
    styles : iterable of str or None
        What stands in its style elements; None where elements have styles of their own, which have no hash.
        Styles can load nothing: pictures are data, and all else is forbidden.
    fonts : bool
        Whether it has fonts, as data.
    """
    style = "'unsafe-inline'" if styles is None else _hashes(styles)
    parts = ["default-src 'none'", "img-src data:", f"style-src {style}", f"script-src {_hashes(scripts)}"]
    if fonts:
        parts.append("font-src data:")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hashes(texts: Iterable[str]) -> str:
    found = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in texts if t]
    return " ".join(f"'sha256-{h}'" for h in dict.fromkeys(found)) or "'none'"


def of_reports(own: Iterable[str] = ()) -> str:
    """The policy of a page of mne.Report.

    Its scripts are those of a report that is empty, and those in `own`, which are of this package. Styles are
    free: bars have their widths as styles of their own, and so have elements that the page's libraries
    (bootstrap, jQuery) make.
    """
    return policy((*_scripts_of_reports(), *own), None, fonts=True)


@cache
def _scripts_of_reports() -> tuple[str, ...]:
    """Scripts that every mne.Report has."""
    import mne

    with tempfile.TemporaryDirectory(prefix="onnxplain-") as folder:
        path = Path(folder) / "empty.html"
        mne.Report(title="", verbose="error").save(path, open_browser=False, verbose="error")
        return tuple(_SCRIPT.findall(path.read_text(encoding="utf-8")))
