"""Paths in the repository."""

from pathlib import Path

__all__ = ["DATA", "REPOSITORY"]

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "training_configs" / "data"
