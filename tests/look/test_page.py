"""The page as one HTML file."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from allennlp.common.checks import ConfigurationError

import allennlp_elmo_plugin.look
from allennlp_elmo_plugin.look import figure
from allennlp_elmo_plugin.look.page import page_html, write_page
from allennlp_elmo_plugin.look.text import ShownText
from tests.support.look_pages import random_analysis, two_periods

FOLDER = Path(allennlp_elmo_plugin.look.__file__).parent
MAX_LINES = 200

needs_bokeh = pytest.mark.skipif(not figure.is_installed(), reason="Bokeh is not installed")


class Reader(HTMLParser):
    """A reader of the tags of a page and of the text in its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.cells: List[str] = []
        self.is_in_cell = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Notes a tag."""
        self.tags.append((tag, dict(attrs)))
        self.is_in_cell = dict(attrs).get("role") == "gridcell"

    def handle_endtag(self, tag: str) -> None:
        """Leaves a cell."""
        self.is_in_cell = False

    def handle_data(self, data: str) -> None:
        """Notes the text of a cell."""
        if self.is_in_cell:
            self.cells.append(data)


def read(html: str) -> Reader:
    """Reads a page."""
    reader = Reader()
    reader.feed(html)
    return reader


def without_library(**options: Any) -> str:
    """Returns a page without planes, which needs no Bokeh."""
    return page_html(random_analysis(two_periods(), projection=None, **options))


def test_the_script_is_short() -> None:
    """The JavaScript of a page has fewer than 200 lines, none of them long."""
    lines = (FOLDER / "page.js").read_text(encoding="utf-8").splitlines()
    assert len(lines) < MAX_LINES
    assert [line for line in lines if len(line) > 100] == []
    scripts = re.findall(r"<script", (FOLDER / "page.html").read_text(encoding="utf-8"))
    assert len(scripts) == 1, "the template has a script besides the data"


def test_nothing_is_fetched() -> None:
    """No tag names another file, and the page's own policy forbids every request."""
    reader = read(without_library())
    for tag, attributes in reader.tags:
        assert "src" not in attributes and tag not in ("iframe", "object", "embed")
        assert attributes.get("href", "data:,") == "data:,"
    assert any("default-src 'none'" in (each.get("content") or "") for _, each in reader.tags)


@pytest.mark.parametrize(
    "token", ["<script>", "</script>", "<!--", "&amp;", '"', "${x}", "$text", "\u2028", "<b>x</b>"]
)
def test_tokens_are_escaped(token: str) -> None:
    """Tokens that are code in HTML, JavaScript or the template are shown as they are."""
    text = ShownText([[["a", token], [token, "b"]]], [token])
    html = page_html(random_analysis(text, projection=None))
    reader = read(html)
    assert reader.cells == ["a", token, token, "b"]
    assert sum(tag == "script" for tag, _ in reader.tags) == 2
    assert ("div", "grid", token) in [
        (tag, each.get("role"), each.get("aria-label")) for tag, each in reader.tags
    ]


def test_a_sentence_is_a_row() -> None:
    """Each period is a grid, each sentence a row, and each token a cell outside the tab order."""
    text = two_periods()
    tags = read(without_library()).tags
    roles = [attributes.get("role") for _, attributes in tags]
    assert roles.count("grid") == 2
    assert roles.count("row") == roles.count("rowheader") == len(text.sentences)
    cells = [attributes for _, attributes in tags if attributes.get("role") == "gridcell"]
    assert [each["id"] for each in cells] == [f"t{number}" for number in range(len(text.tokens))]
    assert {each["tabindex"] for each in cells} == {"-1"}


def test_a_page_says_that_there_is_no_softmax() -> None:
    """The note stands only where there is none."""
    assert "This model has no softmax" in without_library(has_softmax=False)
    assert "This model has no softmax" not in without_library()


def test_a_page_says_what_is_left_out() -> None:
    """The summary has the number of sentences that did not fit."""
    text = ShownText([[["a", "b"]]], ["A"], num_left_out=1234)
    html = page_html(random_analysis(text, projection=None))
    assert "1,234 sentences more did not fit" in html


def test_a_page_says_that_no_word_is_frequent() -> None:
    """A short text has no plane, and the page needs no library then."""
    text = ShownText([[["a", "b"]]], ["A"])
    html = page_html(random_analysis(text))
    assert "No word occurs 3 times" in html and len(html) < 50_000


@pytest.mark.skipif(figure.is_installed(), reason="Bokeh is installed")
def test_a_missing_bokeh_is_told() -> None:
    """The error names the extra, and nothing is written."""
    with pytest.raises(ConfigurationError, match=r"allennlp-elmo-plugin\[look\]"):
        page_html(random_analysis(two_periods()))


@needs_bokeh
def test_the_library_is_in_the_page(tmp_path: Path) -> None:
    """A page with planes has Bokeh's script, and its words and contexts can be chosen."""
    write_page(random_analysis(two_periods()), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(html) > 500_000
    assert sum(tag == "script" for tag, _ in read(html).tags) == 3
    assert "coach (5)</option>" in html
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
