"""
Files of plots, which matplotlib draws where it is installed.
"""

from pathlib import Path
from typing import Any

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.output_paths import require_output_path
from allennlp_elmo_plugin.io.atomic import write_atomically

__all__ = ["COLOURS", "import_matplotlib", "require_plot", "write_plot"]

ENDINGS = (".svg", ".png", ".pdf")
DOTS_PER_INCH = 150
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#5A5A5A",
)
"""Okabe and Ito's colours, which colour-blind people tell apart, with grey in place of black."""


def require_plot(path: Path) -> None:
    """
    Checks that a plot can be drawn to a path, before anything is run.

    # Parameters

    path : `Path`
        Path of the file.

    # Raises

    `ConfigurationError`
        If its ending is none of `.svg`, `.png` and `.pdf`, if its folder does not exist, or if
        matplotlib is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ConfigurationError(
            f"Expected a plot that ends in one of {', '.join(ENDINGS)}, got '{path}'. Choose one "
            "of them."
        )
    require_output_path(path)
    import_matplotlib()


def import_matplotlib() -> Any:
    """
    Imports matplotlib.

    # Returns

    `ModuleType`
        The package, with its module `figure`.

    # Raises

    `ConfigurationError`
        If it is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ConfigurationError(
            f"The plot needs the package matplotlib, which cannot be imported ({error}). Install "
            "it: pip install matplotlib, or this plugin with its extra 'plots'. Or leave out "
            "the plot."
        ) from error
    return matplotlib


def write_plot(figure: Any, path: Path) -> None:
    """
    Writes a figure to a file.

    # Parameters

    figure : `matplotlib.figure.Figure`
        The figure.
    path : `Path`
        The file, whose ending chooses its format. It appears in one step, when it is complete.
    """
    with write_atomically(path) as partial:
        figure.savefig(partial, format=path.suffix.lower()[1:], dpi=DOTS_PER_INCH)
