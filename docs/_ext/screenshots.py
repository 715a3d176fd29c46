"""
Takes the screenshots of `docs/look.md`; `make screenshots` runs it.

The pages are those that the commands of that page write. Chromium opens them without a window.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent.parent
DATA = DOCS.parent / "training_configs" / "data"
FOLDER = DOCS / "_static" / "look"

DESKTOP = {"viewport": {"width": 1180, "height": 800}}
LONG = {"viewport": {"width": 1180, "height": 1400}}
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 1.5,
    "is_mobile": True,
    "has_touch": True,
}
COLOURS = 256
"""Colours of a screenshot. Fewer make a smaller file, but change small things such as a ring."""
COACH = 1
"""Number of the token "coach" in the first sentence."""


def write_page(model: str, path: Path) -> None:
    """Writes the page of both periods."""
    command = [
        *("elmo-look", model, str(DATA / "coach_1850.txt"), str(path)),
        *("--second", str(DATA / "coach_1990.txt"), "--names", "1850", "1990"),
    ]
    subprocess.run([sys.executable, "-m", "allennlp", *command], check=True, cwd=DOCS.parent)


PLACE = """() => {
  const { x, y } = Bokeh.documents[0].get_model_by_name("period-1").data;
  const right = x.indexOf(Math.max(...x));
  const { x_range, y_range, inner_width, inner_height } =
    Bokeh.documents[0].get_model_by_name("figure");
  const box = document.getElementById("plane").getBoundingClientRect();
  return [
    box.left + inner_width * (x[right] - x_range.start) / (x_range.end - x_range.start),
    box.bottom - inner_height * (y[right] - y_range.start) / (y_range.end - y_range.start),
  ];
}"""
"""JavaScript that returns where the rightmost context of the second period is on the screen."""


def choose(page: Page) -> None:
    """Chooses a token."""
    page.locator(f"#t{COACH}").click()


def show_plane(page: Page) -> None:
    """Shows the contexts of the chosen token on a plane, and the sentence of one of them."""
    choose(page)
    page.get_by_text("Plane of its contexts").click()
    page.locator("#plane canvas").first.wait_for()
    page.wait_for_timeout(500)
    page.mouse.move(*page.evaluate(PLACE))
    page.wait_for_timeout(500)


def take(browser: Browser, address: str, name: str, act, **options) -> None:
    """Takes one screenshot."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.goto(address)
    act(page)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    Image.open(path).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True
    )
    print(f"{path.relative_to(DOCS.parent)}: {path.stat().st_size:,} bytes")


def main() -> None:
    """Takes all screenshots."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="pretrained:small", help="model of the page")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of Chromium")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "page.html")
        write_page(arguments.model, path)
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium, args=["--no-sandbox"]
        )
        for name, act, options in (
            ("light", lambda page: None, DESKTOP),
            ("token", choose, LONG),
            ("plane", show_plane, DESKTOP),
            ("dark", choose, {**DESKTOP, "color_scheme": "dark"}),
            ("phone", choose, PHONE),
        ):
            take(browser, path.as_uri(), name, act, **options)
        browser.close()


if __name__ == "__main__":
    main()
