"""The plot of the change of words."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from allennlp_elmo_plugin.extraction import plot_files
from allennlp_elmo_plugin.senses.plot import Occurrences, plot_changes, project_to_plane
from allennlp_elmo_plugin.senses.word_change import WordChange

STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}
CHANGES = [
    WordChange("a$b", 9, 9, 0.5, 0.8, 0.2, 0.3, 2, 9, 9),
    WordChange("b", 9, 9, 0.4, 0.9, 0.1),
    WordChange("rare", 1, 9),
]


def draw(num_rows: int, seed: int = 0) -> numpy.ndarray:
    """Returns random vectors."""
    return numpy.random.default_rng(seed).normal(size=(num_rows, 5))


@pytest.mark.parametrize("ending", list(STARTS))
def test_a_plot_is_drawn(tmp_path: Path, ending: str) -> None:
    """The ending chooses the format; a word with a dollar sign is no formula."""
    pytest.importorskip("matplotlib")
    shown = [Occurrences("a$b", draw(9), draw(9, 1)), Occurrences("b", draw(600), draw(1))]
    plot_changes(CHANGES, shown, tmp_path / f"x{ending}")
    assert (tmp_path / f"x{ending}").read_bytes().startswith(STARTS[ending])


@pytest.mark.parametrize("num_shown, num_panels", [(0, 3), (1, 4), (3, 7)])
def test_a_plot_has_measures_and_planes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_shown: int, num_panels: int
) -> None:
    """Three measures of the words that have some, and a plane with two sets for each word."""
    pytest.importorskip("matplotlib")
    figures = []
    monkeypatch.setattr(
        "allennlp_elmo_plugin.senses.plot.write_plot", lambda *some: figures.append(some)
    )
    shown = [Occurrences("b", draw(600), draw(2))] * num_shown
    plot_changes(CHANGES, shown, tmp_path / "x.svg", ["old", "new"])
    panels = figures[0][0].get_axes()
    assert len(panels) == num_panels
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [r"a\$b", "b"]
    for panel in panels[3 : 3 + num_shown]:
        legend: Any = panel.get_legend().get_texts()
        assert [text.get_text() for text in legend] == ["old (500 of 600)", "new (2)"]
        colours = {tuple(each.get_facecolor()[0][:3]) for each in panel.collections}
        assert len(colours) == 2
    assert plot_files.COLOURS[0] != plot_files.COLOURS[5]


def test_the_plane_keeps_what_lies_in_one() -> None:
    """Directions of a plane keep their distances, and its axes have all of the variance."""
    angles = numpy.random.default_rng(0).uniform(0, 6, 12)
    basis = numpy.linalg.qr(draw(5))[0][:2]
    directions = numpy.stack([numpy.cos(angles), numpy.sin(angles)], axis=1) @ basis
    plane = project_to_plane(directions[:7] * 3, directions[7:])
    found = numpy.concatenate([plane.first, plane.second])
    assert found.shape == (12, 2)
    for one in range(12):
        expected = numpy.linalg.norm(directions - directions[one], axis=1)
        assert abs(numpy.linalg.norm(found - found[one], axis=1) - expected).max() < 1e-12
    assert plane.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("sizes", [(1, 0), (0, 1), (1, 1)])
def test_a_single_occurrence_has_a_place(sizes: Any) -> None:
    """Few vectors lie at finite points."""
    plane = project_to_plane(draw(sizes[0]), draw(sizes[1], 1))
    assert (len(plane.first), len(plane.second)) == sizes
    assert numpy.isfinite(numpy.concatenate([plane.first, plane.second])).all()
    assert numpy.isfinite(plane.shares).all()
