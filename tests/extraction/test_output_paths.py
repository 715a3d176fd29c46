"""Checks of the paths of an output."""

import os
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.output_paths import require_output_path, require_unread


def test_an_output_needs_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder must exist, and the output must not be one."""
    monkeypatch.chdir(tmp_path)
    for path in ("out.h5", tmp_path / "out.h5"):
        require_output_path(Path(path))
    with pytest.raises(ConfigurationError, match="there is no '.*nowhere'. Make it first"):
        require_output_path(Path("nowhere/out.h5"))
    with pytest.raises(ConfigurationError, match="is a folder. Name a file in it"):
        require_output_path(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="there is no '.*file'"):
        require_output_path(tmp_path / "file" / "out.h5")


def test_an_output_replaces_nothing_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is the same under another path or through a link; other names may be anything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.json").touch()
    os.symlink(tmp_path / "in.json", tmp_path / "link.json")
    for name in ("in.json", str(tmp_path / "in.json"), "link.json"):
        with pytest.raises(ConfigurationError, match=f"would replace '{name}'"):
            require_unread([Path("in.npy"), Path("./in.json")], ["other", None, name])
    require_unread([Path("new.npy"), Path("in.json")], ["pretrained:small", "https://a.org/b", "-"])
