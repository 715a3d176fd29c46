"""A browser without a window, for tests of pages."""

import importlib.util
import shutil
from contextlib import contextmanager
from typing import Any, Iterator, List

import pytest

__all__ = ["CHROMIUM", "needs_browser", "open_browser", "requests_of"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="Chromium or Playwright is missing",
)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Starts the system's Chromium, and ends it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def requests_of(page: Any) -> List[str]:
    """Returns a list to which the address of each request of a page is added."""
    requests: List[str] = []
    page.on("request", lambda request: requests.append(request.url))
    return requests
