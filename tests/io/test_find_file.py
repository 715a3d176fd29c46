"""Finding a file or folder that a user names."""

from pathlib import Path
from unittest.mock import patch

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io import find_file as find_file_module
from allennlp_elmo_plugin.io.find_file import find_file


def test_files_and_folders_are_found(tmp_path: Path) -> None:
    """The path that is given is the path that comes back."""
    (tmp_path / "a.txt").touch()
    assert [find_file(path, "a") for path in (tmp_path, tmp_path / "a.txt")] == [
        str(tmp_path),
        str(tmp_path / "a.txt"),
    ]


@pytest.mark.parametrize(
    "location, problem",
    [
        ("nowhere.txt", "Expected a list at 'nowhere.txt', but there is none.*'{folder}'"),
        ("nonsense:x", "Expected a list at 'nonsense:x', but it could not be downloaded"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, problem: str
) -> None:
    """The error has the description, the location, and where a relative path starts."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=problem.format(folder=tmp_path)):
        find_file(location, "a list")


def test_a_download_that_fails_is_named() -> None:
    """The error has the reason."""
    fails = patch.object(find_file_module, "cached_path", side_effect=OSError("timed out"))
    with fails, pytest.raises(ConfigurationError, match=r"at 'http://x', .* \(timed out\)"):
        find_file("http://x", "a list")
