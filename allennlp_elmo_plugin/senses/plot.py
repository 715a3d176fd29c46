"""
Plot of the change of words: all measures, and the occurrences of some words in a plane.
"""

from math import ceil
from pathlib import Path
from typing import Any, List, NamedTuple, Sequence

import numpy

from allennlp_elmo_plugin.extraction.plot_files import (
    COLOURS,
    import_matplotlib,
    require_plot,
    write_plot,
)
from allennlp_elmo_plugin.senses.measures import unit_vectors
from allennlp_elmo_plugin.senses.sampling import draw_rows
from allennlp_elmo_plugin.senses.word_change import WordChange

__all__ = ["Occurrences", "Plane", "plot_changes", "project_to_plane"]

TITLES = {
    "apd": "average\npairwise distance",
    "cosine_distance": "cosine distance\nof means",
    "jsd": "divergence\nof clusters (bits)",
}
MAX_WORDS = 40
MAX_POINTS = 500
MARKERS = ("o", "^")
"""Two shapes, so that the corpora differ without colours too."""
WIDTH, PLANE_SIZE = 6.5, 4.2
ROW_HEIGHT, HEAD_HEIGHT = 0.21, 1.2
SMALL = 8


class Occurrences(NamedTuple):
    """
    The occurrences of a word in two corpora.

    # Parameters

    word : `str`
        The word.
    first, second : `numpy.ndarray`
        Vectors of shape (occurrences, dim), none of them zero.
    """

    word: str
    first: numpy.ndarray
    second: numpy.ndarray


class Plane(NamedTuple):
    """
    Vectors of two corpora in the plane of the largest variance.

    # Parameters

    first, second : `numpy.ndarray`
        Points of shape (occurrences, 2).
    shares : `numpy.ndarray`
        Share of the variance along each axis, of shape (2,).
    """

    first: numpy.ndarray
    second: numpy.ndarray
    shares: numpy.ndarray


def project_to_plane(first: numpy.ndarray, second: numpy.ndarray) -> Plane:
    """
    Projects the directions of vectors to their first two principal components.

    # Parameters

    first, second : `numpy.ndarray`
        Vectors of shape (occurrences, dim), none of them zero, at least one in all.

    # Returns

    `Plane`
    """
    directions = unit_vectors(numpy.concatenate([first, second]))
    centred = directions - directions.mean(axis=0)
    # Two rows of zeros give two axes to any number of vectors.
    padded = numpy.concatenate([centred, numpy.zeros((2, centred.shape[1]))])
    _, sizes, axes = numpy.linalg.svd(padded, full_matrices=False)
    axes = axes[:2]
    # The sign of an axis is arbitrary: its largest entry is made positive.
    largest = axes[[0, 1], abs(axes).argmax(axis=1)]
    points = centred @ (axes * numpy.where(largest < 0, -1, 1)[:, None]).T
    variances = sizes**2
    shares = variances[:2] / max(variances.sum(), numpy.finfo(float).tiny)
    return Plane(points[: len(first)], points[len(first) :], shares)


def plot_changes(
    changes: Sequence[WordChange],
    shown: Sequence[Occurrences],
    path: Path,
    names: Sequence[str] = ("first", "second"),
    seed: int = 0,
) -> None:
    """
    Draws the words with the largest change by all measures, and the occurrences of some of them.

    # Parameters

    changes : `Sequence[WordChange]`
        Result of `measure_change`. The words without measures are left out, and those after the
        first 40.
    shown : `Sequence[Occurrences]`
        Words that each get a plane. Of many occurrences, 500 of each corpus are drawn.
    path : `Path`
        The file, whose ending chooses its format: `.svg`, `.png` or `.pdf`.
    names : `Sequence[str]`, optional (default = `("first", "second")`)
        Names of the corpora in the legends.
    seed : `int`, optional (default = `0`)
        Seed of the draw.

    # Raises

    `ConfigurationError`
        If the file has another ending, if its folder does not exist, or if matplotlib is not
        installed.
    """
    require_plot(path)
    matplotlib = import_matplotlib()
    measured = [change for change in changes if change.apd is not None][:MAX_WORDS]
    num_columns = ceil(len(shown) ** 0.5) if shown else 0
    num_rows = ceil(len(shown) / num_columns) if shown else 0
    height = max(HEAD_HEIGHT + ROW_HEIGHT * len(measured), PLANE_SIZE * max(num_rows, 1))
    width = WIDTH + PLANE_SIZE * num_columns
    figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
    parts = figure.subfigures(1, 2, width_ratios=[WIDTH, width - WIDTH]) if shown else [figure]
    _draw_measures(parts[0], measured)
    if shown:
        panels = list(parts[1].subplots(num_rows, num_columns, squeeze=False).flat)
        for panel, word in zip(panels, shown):
            _draw_plane(panel, word, names, seed)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
    write_plot(figure, path)


def _draw_measures(figure: Any, changes: Sequence[WordChange]) -> None:
    rows = numpy.arange(len(changes))
    panels = figure.subplots(1, len(TITLES), sharey=True)
    for panel, (measure, title) in zip(panels, TITLES.items()):
        values: List[Any] = [getattr(change, measure) for change in changes]
        # matplotlib leaves out what is not a number.
        numbers = numpy.array([numpy.nan if value is None else value for value in values])
        panel.hlines(rows, 0, numbers, color="#BBBBBB", linewidth=1)
        # A dot at 0 is drawn in full.
        panel.plot(numbers, rows, "o", color=COLOURS[0], markersize=5, clip_on=False, zorder=3)
        panel.set_title(title, fontsize=SMALL + 1)
        panel.tick_params(axis="x", labelsize=SMALL)
        panel.set_xlim(left=0)
        panel.grid(axis="x", linewidth=0.4)
    panels[0].set_yticks(rows, [_plain(change.word) for change in changes], fontsize=SMALL)
    panels[0].invert_yaxis()


def _draw_plane(panel: Any, shown: Occurrences, names: Sequence[str], seed: int) -> None:
    sample = [draw_rows(each, MAX_POINTS, seed) for each in (shown.first, shown.second)]
    plane = project_to_plane(*sample)
    looks = zip((plane.first, plane.second), names, MARKERS, (COLOURS[0], COLOURS[5]))
    for (points, name, marker, colour), all_of in zip(looks, (shown.first, shown.second)):
        of = "" if len(points) == len(all_of) else f" of {len(all_of):,}"
        panel.scatter(
            *points.T,
            s=18,
            marker=marker,
            color=colour,
            alpha=0.7,
            linewidths=0,
            label=f"{_plain(name)} ({len(points):,}{of})",
        )
    panel.set_title(_plain(shown.word))
    panel.set_xlabel(f"first component ({plane.shares[0]:.0%} of the variance)", fontsize=SMALL)
    panel.set_ylabel(f"second component ({plane.shares[1]:.0%})", fontsize=SMALL)
    panel.tick_params(labelsize=SMALL)
    panel.legend(fontsize=SMALL)


def _plain(text: str) -> str:
    """Returns a text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")
