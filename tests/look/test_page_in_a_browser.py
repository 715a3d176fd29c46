"""The page in Chromium: with a mouse, a keyboard, a screen reader, on a phone, in the dark."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from allennlp_elmo_plugin.look import figure
from allennlp_elmo_plugin.look.page import write_page
from allennlp_elmo_plugin.look.plane import ASPECT
from allennlp_elmo_plugin.look.text import ShownText
from tests.support.browser import needs_browser, open_browser, requests_of
from tests.support.look_pages import random_analysis, two_periods

pytestmark = [
    pytest.mark.browser,
    needs_browser,
    pytest.mark.skipif(not figure.is_installed(), reason="Bokeh is not installed"),
]

SCRIPT = "<script>alert(1)</script><img/src=x/onerror=alert(2)>"
MIN_CONTRAST = 4.5

# For each text on the page the contrast with what is behind it, by WCAG 2.
CONTRASTS = """() => {
  const rgba = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map(
      (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const found = [];
  for (const node of document.body.querySelectorAll("*:not(.marker, script, style, option)")) {
    const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!hasText || !node.checkVisibility()) continue;
    const pair = [rgba(getComputedStyle(node).color), behind(node)].map(light).sort();
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push([contrast, `${node.tagName}.${node.className}: ${node.textContent.slice(0, 30)}`]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, started once."""
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, str]:
    """Addresses of pages: of two periods, of one model without a softmax, and of many tokens."""
    folder = tmp_path_factory.mktemp("pages")
    strange = two_periods(f"Is </script> a coach , or {SCRIPT} ?")
    long = ShownText([[["the", "coach", str(n), "."] for n in range(500)]], ["long"])
    analyses = {
        "two": random_analysis(strange),
        "plain": random_analysis(two_periods(), has_softmax=False),
        "long": random_analysis(long, words=["coach"]),
    }
    for name, analysis in analyses.items():
        write_page(analysis, folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in analyses}


class Opened:
    """A page that is open, its requests and its errors."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(5000)
        self.address = address
        self.requests = requests_of(self.page)
        self.errors: List[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda note: self.errors.append(note.text) if note.type in ("error", "warning") else 0,
        )
        self.page.goto(address)

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.context.close()
        if kind is None:
            assert self.errors == []
            assert self.requests == [self.address]


def status(page: Any) -> str:
    """Returns what a screen reader is told of the chosen token."""
    text: str = page.get_by_role("status").inner_text()
    return text


def show_plane(page: Any, layer: str = "2") -> None:
    """Shows the plane of the word "coach"."""
    page.get_by_label("Layer").select_option(layer)
    page.get_by_role("radio", name="plane").check()
    page.locator("#word").select_option(label="coach (6)")
    page.locator("#plane canvas").first.wait_for()


def points(page: Any) -> List[int]:
    """Returns the numbers of points of both periods that the figure has."""
    found: List[int] = page.evaluate(
        "[0, 1].map((n) => Bokeh.documents[0].get_model_by_name(`period-${n}`).data.token.length)"
    )
    return found


def test_everything_is_used_without_a_request(browser: Any, files: Dict[str, str]) -> None:
    """Neither opening the page nor any of its controls asks a network for anything."""
    with Opened(browser, files["two"]) as page:
        page.locator("#t1").click()
        page.get_by_label("numbers").check()
        page.get_by_label("Surprisal").select_option("2")
        show_plane(page)
        page.get_by_text("The same contexts as a table").click()
        page.locator("#plane").hover()
        page.wait_for_load_state("networkidle")


def test_a_request_would_be_noticed(browser: Any, files: Dict[str, str], tmp_path: Path) -> None:
    """A page that asks for a picture fails the test above."""
    html = Path(files["plain"][len("file://") :]).read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(
        html.replace("<h1>", '<h1><img src="picture.png">').replace("Content-Security", "X"),
        encoding="utf-8",
    )
    with pytest.raises(AssertionError), Opened(browser, (tmp_path / "page.html").as_uri()):
        pass


def test_a_click_shows_details(browser: Any, files: Dict[str, str]) -> None:
    """A token has its surprisals, contexts, words and substitutes, layer by layer."""
    with Opened(browser, files["two"]) as page:
        page.locator("#t1").click()
        assert "coach, sentence 1, A. Surprisal forward:" in status(page)
        titles = page.locator("#lists h3").all_inner_texts()
        assert titles == [
            "Nearest contexts in layer 2",
            "Nearest words in layer 2",
            "Substitutes by the words before",
            "Substitutes by the words after",
            "Substitutes by both",
        ]
        before = page.locator("#lists ol").first.inner_text()
        page.get_by_label("Layer").select_option("0")
        assert page.locator("#lists h3").first.inner_text() == "Nearest contexts in layer 0"
        # In the token layer, the nearest contexts of a word are its other occurrences.
        assert page.locator("#lists ol").first.locator("mark").all_inner_texts() == ["coach"] * 4
        assert page.locator("#lists ol").first.inner_text() != before


def test_the_values_are_those_of_the_analysis(browser: Any, files: Dict[str, str]) -> None:
    """A token's details are the numbers that Python computed."""
    analysis = random_analysis(two_periods(f"Is </script> a coach , or {SCRIPT} ?"))
    assert analysis.scores is not None and analysis.substitutes is not None
    token = 6
    with Opened(browser, files["two"]) as page:
        page.locator(f"#t{token}").click()
        bits = analysis.scores.surprisal[1][token]
        assert f"Surprisal backward: {bits:.1f} bits" in status(page)
        texts = page.locator("#lists ol").all_inner_texts()
        near = analysis.words[2]
        words = [analysis.text.words[number] for number in near.ids[token]]
        expected = [f"{word} {value:.3f}" for word, value in zip(words, near.cosines[token])]
        assert texts[1].split("\n") == expected
        rows = analysis.substitutes.rows[2][token]
        percents = 100 * analysis.substitutes.probabilities[2][token]
        assert texts[4].split("\n") == [f"word{row} {p:.2f}%" for row, p in zip(rows, percents)]


def test_code_in_a_text_is_text(browser: Any, files: Dict[str, str]) -> None:
    """A token that is a script is shown everywhere as it is, and nothing runs."""
    with Opened(browser, files["two"]) as page:
        page.on("dialog", lambda dialog: pytest.fail("the script ran"))
        cell = page.get_by_role("gridcell").filter(has_text="alert")
        assert cell.inner_text() == SCRIPT
        cell.click()
        assert status(page).startswith(SCRIPT)
        page.locator("#t1").click()
        page.get_by_label("Layer").select_option("0")
        assert SCRIPT in page.locator("#lists").inner_text()


def test_the_keyboard_reaches_every_token(browser: Any, files: Dict[str, str]) -> None:
    """The text is one stop of the Tab key; arrows move in it, and Enter chooses."""
    with Opened(browser, files["long"]) as page:
        stops = page.evaluate(
            "[...document.querySelectorAll('*')].filter((e) => e.tabIndex >= 0).length"
        )
        assert stops < 20
        for _ in range(stops):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "t0":
                break
        focused = []
        for key in ("ArrowRight", "ArrowDown", "End", "ArrowUp", "Home", "ArrowLeft", "ArrowLeft"):
            page.keyboard.press(key)
            focused.append(page.evaluate("document.activeElement.id"))
        assert focused == ["t1", "t5", "t7", "t3", "t0", "t0", "t0"]
        page.keyboard.press("Control+End")
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.id") == "t1999"
        style = page.locator("#t1999").evaluate("(e) => getComputedStyle(e).outlineStyle")
        assert style == "solid"
        page.keyboard.press("Enter")
        assert "sentence 500, long." in status(page)
        assert page.locator("[aria-selected=true]").get_attribute("id") == "t1999"


def test_the_keyboard_reaches_the_details_and_returns(browser: Any, files: Dict[str, str]) -> None:
    """Tab leads from a token to its details; a context moves the focus, and Escape returns it."""
    with Opened(browser, files["two"]) as page:
        page.locator("#t1").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "details"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "t1"
        page.locator("#lists ol button").nth(1).focus()
        page.keyboard.press("Enter")
        chosen = page.locator("[aria-selected=true]").get_attribute("id")
        assert chosen != "t1" and page.evaluate("document.activeElement.id") == chosen


def test_a_screen_reader_hears_the_surprisal(browser: Any, files: Dict[str, str]) -> None:
    """Names and roles carry what colours show, and the details are announced."""
    with Opened(browser, files["two"]) as page:
        assert page.get_by_role("grid", name="A").count() == 1
        name = page.locator("#t1").get_attribute("aria-label")
        assert name.startswith("coach, ") and name.endswith(" bits")
        assert page.get_by_role("gridcell", name=name).count() >= 1
        unknown = page.locator("#t3").get_attribute("aria-label")
        assert "outside the vocabulary" in unknown
        assert page.get_by_role("status").evaluate("(e) => e.ariaLive || 'polite'") == "polite"
        page.get_by_label("Surprisal").select_option("1")
        assert page.locator("#t1").get_attribute("aria-label") != name


def test_the_plane_has_every_context(browser: Any, files: Dict[str, str]) -> None:
    """A plane has a point for each context in the colour of its period, and a row of a table."""
    with Opened(browser, files["two"]) as page:
        show_plane(page)
        assert points(page) == [3, 3]
        assert "of the variance" in page.locator("#plane-note").inner_text()
        page.get_by_text("The same contexts as a table").click()
        rows = page.get_by_role("row").filter(has=page.get_by_role("button")).all()
        assert [row.get_by_role("cell").first.inner_text() for row in rows] == ["A"] * 3 + ["B"] * 3
        rows[4].get_by_role("button").click()
        assert "sentence 5, B" in status(page)
        page.locator("#word").select_option(label=". (5)")
        assert points(page) == [3, 2]


def test_hovering_shows_the_sentence_and_a_click_chooses(
    browser: Any, files: Dict[str, str]
) -> None:
    """The sentence of a context appears beside the pointer, as text and never as code."""
    analysis = random_analysis(two_periods(f"Is </script> a coach , or {SCRIPT} ?"))
    x, y = analysis.planes["coach"][2].points[-1].tolist()
    with Opened(browser, files["two"]) as page:
        page.on("dialog", lambda dialog: pytest.fail("the script ran"))
        show_plane(page)
        page.wait_for_timeout(300)
        left, top, width, height = page.evaluate(
            """() => {
              const box = document.querySelector("#plane").getBoundingClientRect();
              const figure = Bokeh.documents[0].get_model_by_name("figure");
              const space = figure.outer_height - figure.inner_height;
              return [box.right - figure.inner_width, box.top + space, figure.inner_width,
                figure.inner_height];
            }"""
        )
        place = (
            left + width * (0.5 + x / ASPECT / 2.2),
            top + height * (0.5 - y / 2.2),
        )
        page.mouse.move(*place)
        page.get_by_text("B: Is </script> a coach").wait_for()
        page.mouse.click(*place)
        page.get_by_role("status").filter(has_text="coach, sentence 6, B.").wait_for()


def test_a_model_without_a_softmax_has_neighbours(browser: Any, files: Dict[str, str]) -> None:
    """There are neither colours nor controls of surprisals, and the page says so."""
    with Opened(browser, files["plain"]) as page:
        assert page.get_by_text("This model has no softmax").is_visible()
        assert not page.get_by_label("Surprisal").is_visible()
        page.locator("#t1").click()
        assert status(page) == "coach, sentence 1, A."
        assert page.locator("#lists h3").count() == 2


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_no_page_scrolls_sideways(browser: Any, files: Dict[str, str], width: int) -> None:
    """Text, details, table and plane fit into a narrow screen."""
    options = {"viewport": {"width": width, "height": 700}, "is_mobile": width < 500}
    with Opened(browser, files["two"], **options) as page:
        page.locator("#t1").click()
        sizes = [page.evaluate("document.documentElement.scrollWidth")]
        show_plane(page)
        page.get_by_text("The same contexts as a table").click()
        sizes.append(page.evaluate("document.documentElement.scrollWidth"))
        assert max(sizes) <= width


def test_the_details_cover_no_token_that_has_the_focus(browser: Any, files: Dict[str, str]) -> None:
    """On a phone the details stay at the bottom, and the text scrolls above them."""
    options = {"viewport": {"width": 390, "height": 700}}
    with Opened(browser, files["long"], **options) as page:
        page.locator("#t1").click()
        for _ in range(30):
            page.keyboard.press("ArrowDown")
        token = page.evaluate("document.activeElement.getBoundingClientRect().bottom")
        assert token <= page.locator("#details").bounding_box()["y"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, files: Dict[str, str], scheme: str) -> None:
    """Every text is at least 4.5 times as light or dark as what is behind it."""
    with Opened(browser, files["two"], color_scheme=scheme) as page:
        page.locator("#t1").click()
        page.get_by_label("numbers").check()
        found = page.evaluate(CONTRASTS)
        show_plane(page)
        page.get_by_text("The same contexts as a table").click()
        found += page.evaluate(CONTRASTS)
        assert len(found) > 100
        assert [text for contrast, text in found if contrast < MIN_CONTRAST] == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 28)")
