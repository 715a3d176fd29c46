"""The plot of the throughput of a distributed extraction."""

from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt
from allennlp_elmo_plugin.extraction.distributed.throughput_plot import plot_throughput
from tests.extraction.distributed.receipts import receipt

STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


def drawn(receipts: List[Receipt], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draws a plot and returns its figure."""
    figures = pytest.importorskip("matplotlib.figure")
    kept = []
    save = figures.Figure.savefig

    def savefig(figure: Any, *args: Any, **options: Any) -> None:
        kept.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(figures.Figure, "savefig", savefig)
    plot_throughput(receipts, folder / "plot.png")
    return kept[0]


def receipts_of(num_workers: int, start: float = 0.0) -> List[Receipt]:
    """Makes three receipts of a minute for each worker; the last worker has two."""
    return [
        receipt(n, worker=f"host:{n % num_workers}", started=start + 60.0 * step, seconds=60.0)
        for step in range(3)
        for n in range(num_workers)
        if n < num_workers - 1 or step < 2 or num_workers == 1
    ]


@pytest.mark.parametrize("ending", STARTS)
@pytest.mark.parametrize("num_workers", [1, 30])
def test_the_ending_chooses_the_format(tmp_path: Path, ending: str, num_workers: int) -> None:
    """A file of that format appears, and nothing beside it."""
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot{ending.upper()}"
    plot_throughput(receipts_of(num_workers), path)
    assert path.read_bytes().startswith(STARTS[ending])
    assert list(tmp_path.iterdir()) == [path]


def test_few_workers_are_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a colour with its name, in the order of the stack, and axes have units."""
    figure = drawn(receipts_of(8), tmp_path, monkeypatch)
    (panel,) = figure.axes
    assert panel.get_ylabel() == "tokens per second"
    assert panel.get_xlabel() == "minutes since the first shard was started"
    assert panel.get_title("left") == "2,300 tokens in 3.0 minutes, 13 per second"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [f"host:{n}" for n in reversed(range(8))]
    colours = {tuple(area.get_facecolor()[0]) for area in panel.collections}
    assert len(colours) == 8


def test_many_workers_have_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The total is above them, and an idle worker has no colour."""
    figure = drawn(receipts_of(20), tmp_path, monkeypatch)
    total, rows, colours = figure.axes
    assert total.get_ylabel() == "tokens per second" and rows.get_ylabel() == "20 workers"
    assert colours.get_ylabel() == "tokens per second of a worker (white: idle)"
    names = [label.get_text() for label in rows.get_yticklabels()]
    assert len(names) == 16 and (names[0], names[-1]) == ("host:0", "host:19")
    shown = rows.collections[0].get_array()
    assert shown.mask.any() and shown.compressed().min() > 0


@pytest.mark.parametrize("num_workers", [2, 20])
def test_pauses_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    """The mark says how long the pause was, and the axis that it is left out."""
    receipts = receipts_of(num_workers) + receipts_of(num_workers, 36_180.0)
    figure = drawn(receipts, tmp_path, monkeypatch)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no work for 10.0 hours"]
    assert (
        " since the first shard was started, without the pauses"
        in figure.axes[num_workers > 8].get_xlabel()
    )


def test_a_wrong_path_is_an_error(tmp_path: Path) -> None:
    """Nothing is drawn then."""
    with pytest.raises(ConfigurationError, match="no '.*missing'"):
        plot_throughput(receipts_of(1), tmp_path / "missing" / "plot.svg")
