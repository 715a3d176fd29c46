"""
The figure in which the planes are drawn, by Bokeh.
"""

from importlib.util import find_spec
from typing import Any, Dict, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.look.plane import ASPECT

__all__ = ["COLOURS", "MARKERS", "Figure", "is_installed", "make_figure"]

MARKERS = {"circle": "\u25cf", "triangle": "\u25b2"}
"""The shape of each period's points, and the character that stands for it in the legend."""
COLOURS = ("#0072b2", "#d55e00")
"""Blue and vermilion of Okabe and Ito, which colour-blind people tell apart."""
SIZE, CHOSEN_SIZE = 11, 18
CHOSEN_COLOUR = "#e6ab02"
MARGIN = 1.1

HOVER = """
<div style="max-width: 20rem; white-space: normal; overflow-wrap: anywhere">
@html{safe}</div>
"""
"""Bokeh 3.1 escapes no text, and later ones do. So the script of the page gives it safe HTML."""
COLUMNS = ("x", "y", "html", "token")


class Figure(NamedTuple):
    """
    A figure without points, which the script of a page fills in.

    # Parameters

    item : `Any`
        Values of JSON that describe the figure.
    script : `str`
        JavaScript of the library that draws it.
    """

    item: Any
    script: str


def is_installed() -> bool:
    """Returns `True` if the library that draws can be imported."""
    return find_spec("bokeh") is not None


def make_figure(names: List[str]) -> Figure:
    """
    Makes a figure for the contexts of one or two periods, with the sentence shown on hover.

    # Parameters

    names : `List[str]`
        Names of the periods, each of which has a colour and a marker.

    # Returns

    `Figure`
        The sources of its points are named `period-0` and `period-1`.

    # Raises

    `ConfigurationError`
        If Bokeh is missing.
    """
    plotting, models, embed, resources = _bokeh()
    figure = plotting.figure(
        name="figure",
        aspect_ratio=ASPECT,
        sizing_mode="scale_width",
        x_range=(-MARGIN * ASPECT, MARGIN * ASPECT),
        y_range=(-MARGIN, MARGIN),
        # Scrolling and swiping move the page until a reader chooses one of the tools.
        tools="pan,wheel_zoom,box_zoom,reset,tap",
        active_drag=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border=0,
    )
    figure.toolbar.logo = None
    # Its directions have no unit, and text of a canvas does not follow the colours of the page.
    figure.axis.visible = False
    figure.grid.visible = False
    renderers = []
    for number, marker in enumerate(list(MARKERS)[: len(names)]):
        source = models.ColumnDataSource(
            {column: [] for column in COLUMNS}, name=f"period-{number}"
        )
        style: Dict[str, Any] = {
            "marker": marker,
            "fill_color": COLOURS[number],
            "line_color": "white",
        }
        renderer = figure.scatter(
            "x", "y", source=source, size=SIZE, nonselection_fill_alpha=0.8, **style
        )
        renderer.nonselection_glyph.line_alpha = 0.8
        style.update(line_color=CHOSEN_COLOUR, line_width=4)
        renderer.selection_glyph = models.Scatter(size=CHOSEN_SIZE, **style)
        renderers.append(renderer)
    figure.add_tools(models.HoverTool(tooltips=HOVER, renderers=renderers))
    library = resources.Resources(mode="inline", components=["bokeh"])
    return Figure(embed.json_item(figure), "\n".join(library.js_raw))


def _bokeh() -> Any:
    try:
        from bokeh import embed, models, plotting, resources
    except ImportError as error:
        raise ConfigurationError(
            f"Drawing contexts on a plane needs Bokeh ({error}). Install it (pip install "
            "'allennlp-elmo-plugin[look]'), or leave the planes out (on the command line, "
            "--plane none)."
        ) from error
    return plotting, models, embed, resources
