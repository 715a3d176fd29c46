"""Files of plots."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.plot_files import require_plot


def test_another_ending_is_an_error(tmp_path: Path) -> None:
    """The error names those that there are, before anything is drawn."""
    with pytest.raises(ConfigurationError, match=r"one of \.svg, \.png, \.pdf, got '.*plot\.jpg'"):
        require_plot(tmp_path / "plot.jpg")
    with pytest.raises(ConfigurationError, match="no '.*missing'"):
        require_plot(tmp_path / "missing" / "plot.svg")


def test_a_missing_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it, and names the extra."""
    real_import = builtins.__import__

    def import_other(name: str, *args: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return real_import(name, *args)

    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", import_other)
    with pytest.raises(ConfigurationError, match="pip install matplotlib.*extra 'plots'"):
        require_plot(tmp_path / "plot.svg")
