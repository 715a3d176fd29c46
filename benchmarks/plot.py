"""
The picture of the speeds.
"""

from pathlib import Path
from typing import Any, Dict, List

from matplotlib.figure import Figure

__all__ = ["plot_speeds"]

GROUP_WIDTH = 0.8


def plot_speeds(rows: List[Dict[str, Any]], path: Path) -> None:
    """
    Draws how many times as fast as AllenNLP's class the plugin embeds: a panel for each shape, a
    group of bars for each batch size, a bar for each precision.

    # Parameters

    rows : `List[Dict[str, Any]]`
        The results of the section "embedding".
    path : `Path`
        The PNG file to write.
    """
    shapes, batches, precisions = (
        list(dict.fromkeys(row[key] for row in rows)) for key in ("shape", "batch", "precision")
    )
    figure = Figure(figsize=(5 * len(shapes), 3.5), layout="constrained")
    panels = figure.subplots(1, len(shapes), squeeze=False)[0]
    width = GROUP_WIDTH / len(precisions)
    for shape, panel in zip(shapes, panels):
        for position, precision in enumerate(precisions):
            ratios = [
                row["ratio"]
                for row in rows
                if row["shape"] == shape and row["precision"] == precision
            ]
            offset = (position - (len(precisions) - 1) / 2) * width
            places = [place + offset for place in range(len(batches))]
            panel.bar(places, ratios, width, label=precision)
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.set_title(shape)
        panel.set_xticks(range(len(batches)))
        panel.set_xticklabels(batches)
        panel.set_xlabel("sentences in a batch")
    panels[0].set_ylabel("times AllenNLP's speed")
    panels[0].legend()
    figure.savefig(path, dpi=150)
