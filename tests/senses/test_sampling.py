"""Drawing some of many occurrences."""

import numpy

from allennlp_elmo_plugin.senses.sampling import draw_rows


def test_rows_are_drawn_once_and_in_order() -> None:
    """The rows differ, ascend and depend on the seed alone."""
    rows = numpy.arange(100)[:, None]
    drawn = draw_rows(rows, 10, seed=1)
    assert (numpy.diff(drawn[:, 0]) > 0).all() and len(drawn) == 10
    assert (drawn == draw_rows(rows, 10, seed=1)).all()
    assert (drawn != draw_rows(rows, 10, seed=2)).any()


def test_few_rows_stay() -> None:
    """An array that is small enough is returned as it is."""
    rows = numpy.arange(3)[:, None]
    assert draw_rows(rows, 3, seed=1) is rows
