"""
Plot of the plugin's speeds.
"""

from pathlib import Path
from typing import Any, Dict, List

from matplotlib.figure import Figure

__all__ = ["plot_speeds"]

GROUP_WIDTH = 0.8


def plot_speeds(rows: List[Dict[str, Any]], path: Path) -> None:
    """
    Draws the plugin's speed as a multiple of AllenNLP's.

    Each shape has a panel, each batch size a group of bars, and each precision a bar.

    # Parameters

    rows : `List[Dict[str, Any]]`
        Results of the section `embedding`.
    path : `Path`
        PNG file to write.
    """
    shapes, batches, precisions = (
        list(dict.fromkeys(row[key] for row in rows)) for key in ("shape", "batch", "precision")
    )
    figure = Figure(figsize=(5 * len(shapes), 3.5), layout="constrained")
    panels = figure.subplots(1, len(shapes), squeeze=False)[0]
    width = GROUP_WIDTH / len(precisions)
    for shape, panel in zip(shapes, panels):
        for index, precision in enumerate(precisions):
            ratios = [
                row["ratio"]
                for row in rows
                if row["shape"] == shape and row["precision"] == precision
            ]
            offset = (index - (len(precisions) - 1) / 2) * width
            positions = [group + offset for group in range(len(batches))]
            panel.bar(positions, ratios, width, label=precision)
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.set_title(shape)
        panel.set_xticks(range(len(batches)))
        panel.set_xticklabels(batches)
        panel.set_xlabel("sentences in a batch")
    panels[0].set_ylabel("times AllenNLP's speed")
    panels[0].legend()
    figure.savefig(path, dpi=150)
