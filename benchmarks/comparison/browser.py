"""Open a page in headless Chromium and see how long that takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rivulet.errors import UserError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Two frames after the last change of the page everything of it has been laid out and painted.
_PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@contextmanager
def open_browser() -> Iterator[Any]:
    """A headless Chromium that was installed on this machine.

    Raises:
        UserError: There is none.
    """
    from playwright.sync_api import sync_playwright

    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise UserError("no Chromium on this machine; install it with: apt install chromium")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def seconds_to_open(browser: Any, page: Path) -> float:
    """Seconds from the address to a page that is painted and answers."""
    tab = browser.new_page()
    try:
        begin = time.perf_counter()
        tab.goto(page.resolve().as_uri(), wait_until="load")
        tab.evaluate(_PAINTED)
        return time.perf_counter() - begin
    finally:
        tab.close()
