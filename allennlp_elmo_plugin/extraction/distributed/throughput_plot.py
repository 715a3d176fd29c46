"""
Plot of the throughput of a distributed extraction.
"""

from pathlib import Path
from typing import Any, List, Sequence, Tuple

import numpy

from allennlp_elmo_plugin.extraction.distributed.shard import Receipt
from allennlp_elmo_plugin.extraction.distributed.throughput import (
    Pause,
    Throughput,
    measure_throughput,
)
from allennlp_elmo_plugin.extraction.plot_files import (
    COLOURS,
    import_matplotlib,
    require_plot,
    write_plot,
)

__all__ = ["plot_throughput"]

NUM_INTERVALS = 150
MAX_STACKED = 8
MAX_NAMES = 16
"""Most workers whose names stand beside their rows."""
NAME_SIZE = 8
WIDTH = 9
STACK_HEIGHT, TOTAL_HEIGHT, ROWS_HEIGHT = 4.5, 2.5, 4
# Seconds of a unit, and the shortest time that is shown in it.
UNITS = {"hours": (3600, 7200), "minutes": (60, 120), "seconds": (1, 0)}


def plot_throughput(receipts: Sequence[Receipt], path: Path) -> None:
    """
    Draws the tokens per second of an extraction over time.

    Few workers are stacked. Of many, the total is drawn, and below it a row for each with its
    speed as a colour. Long times between two runs are cut out and marked.

    # Parameters

    receipts : `Sequence[Receipt]`
        At least one receipt, in any order.
    path : `Path`
        The file, whose ending chooses its format: `.svg`, `.png` or `.pdf`.

    # Raises

    `ConfigurationError`
        If its ending is another one, if its folder does not exist, or if matplotlib is not
        installed.
    """
    require_plot(path)
    matplotlib = import_matplotlib()
    throughput = measure_throughput(receipts, NUM_INTERVALS)
    is_stacked = len(throughput.workers) <= MAX_STACKED
    heights = [STACK_HEIGHT] if is_stacked else [TOTAL_HEIGHT, ROWS_HEIGHT]
    figure = matplotlib.figure.Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    unit, scale = _unit(throughput.edges[-1])
    times = throughput.edges / scale
    if is_stacked:
        _draw_stack(panels[0], times, throughput)
    else:
        _draw_total(panels[0], times, throughput)
        _draw_rows(panels[1], times, throughput)
    _mark_pauses(panels, throughput.pauses, scale)
    panels[0].set_title(_title(receipts, throughput), loc="left", fontsize="medium")
    panels[0].set_ylabel("tokens per second")
    panels[0].yaxis.set_major_formatter("{x:,.0f}")
    without = ", without the pauses" if throughput.pauses else ""
    panels[-1].set_xlabel(f"{unit} since the first shard was started{without}")
    panels[-1].set_xlim(0, times[-1])
    write_plot(figure, path)


def _draw_stack(panel: Any, times: numpy.ndarray, throughput: Throughput) -> None:
    # A step needs a value at its end.
    rates = numpy.concatenate([throughput.rates, throughput.rates[:, -1:]], axis=1)
    panel.stackplot(
        times,
        rates,
        step="post",
        labels=throughput.workers,
        colors=COLOURS,
        edgecolor="white",
        linewidth=0.3,
    )
    panel.set_ylim(bottom=0)
    handles, labels = panel.get_legend_handles_labels()
    # The legend has the order of the stack.
    panel.figure.legend(
        handles[::-1], labels[::-1], loc="outside right upper", title="worker", fontsize=NAME_SIZE
    )


def _draw_total(panel: Any, times: numpy.ndarray, throughput: Throughput) -> None:
    panel.stairs(throughput.rates.sum(axis=0), times, fill=True, color=COLOURS[0])
    panel.set_ylim(bottom=0)


def _draw_rows(panel: Any, times: numpy.ndarray, throughput: Throughput) -> None:
    num_workers = len(throughput.workers)
    rows = numpy.arange(num_workers + 1) - 0.5
    # A worker that does nothing has no colour, to tell it from a slow one.
    rates = numpy.ma.masked_equal(throughput.rates, 0)
    mesh = panel.pcolormesh(times, rows, rates, cmap="cividis", vmin=0, rasterized=True)
    named = numpy.linspace(0, num_workers - 1, min(num_workers, MAX_NAMES)).round().astype(int)
    panel.set_yticks(named, [throughput.workers[row] for row in named], fontsize=NAME_SIZE)
    panel.invert_yaxis()
    panel.set_ylabel(f"{num_workers:,} workers")
    bar = panel.figure.colorbar(mesh, ax=panel, label="tokens per second of a worker (white: idle)")
    bar.ax.yaxis.set_major_formatter("{x:,.0f}")


def _mark_pauses(panels: Sequence[Any], pauses: List[Pause], scale: float) -> None:
    for pause in pauses:
        for panel in panels:
            panel.axvline(pause.place / scale, color="black", linestyle="--", linewidth=1)
        unit, size = _unit(pause.seconds)
        panels[0].text(
            pause.place / scale,
            0.5,
            f"no work for {pause.seconds / size:,.1f} {unit}",
            transform=panels[0].get_xaxis_transform(),
            rotation="vertical",
            horizontalalignment="center",
            verticalalignment="center",
            fontsize=NAME_SIZE,
            bbox={"facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "pad": 2},
        )


def _title(receipts: Sequence[Receipt], throughput: Throughput) -> str:
    num_tokens = sum(receipt.num_tokens for receipt in receipts)
    worked = throughput.edges[-1]
    unit, size = _unit(worked)
    return (
        f"{num_tokens:,} tokens in {worked / size:,.1f} {unit}, "
        f"{num_tokens / worked:,.0f} per second"
    )


def _unit(seconds: float) -> Tuple[str, float]:
    """Returns the name and the seconds of a unit that suits a time."""
    return next((name, size) for name, (size, least) in UNITS.items() if seconds >= least)
