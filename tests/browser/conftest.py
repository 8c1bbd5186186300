"""The page, served from this machine."""

from __future__ import annotations

import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "docs" / "browser")]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page, as `make browser` makes it."""
    from make_page import build
    from web import PACKAGES, program

    program("npm")
    folder = tmp_path_factory.mktemp("site")
    build(folder, PACKAGES / "page")
    return folder


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Where the page is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


@pytest.fixture
def address(served: str) -> str:
    """Where the page is served, for one test."""
    return served
