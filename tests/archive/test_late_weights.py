"""Weights that come after a module is built."""

from pathlib import Path
from typing import Callable, List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.archive.late_weights import missing_weights


def _fail() -> None:
    raise ConfigurationError("There is no file 'weights.hdf5'.")


def test_files_that_are_there_are_read(tmp_path: Path) -> None:
    """Without an archive, weights are not missing as long as all files are found."""
    found: List[int] = []
    find: List[Callable[[], object]] = [lambda: found.append(1), lambda: found.append(2)]
    for folder in (None, str(tmp_path)):
        assert missing_weights(folder, find) is None
    assert found == [1, 2, 1, 2]


def test_an_archive_is_not_asked_for_its_files(tmp_path: Path) -> None:
    """The files of an archive that is being loaded are not looked for."""
    (tmp_path / "weights.th").write_bytes(b"")
    reason = missing_weights(str(tmp_path), [lambda: pytest.fail("a file was looked for")])
    assert reason == f"the archive in '{tmp_path}' has none"


@pytest.mark.parametrize("place", [0, 1])
def test_a_file_that_is_gone_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    """In the folder of a training, the reason is the error of the missing file."""
    find: List[Callable[[], object]] = [lambda: None, lambda: None]
    find[place] = _fail
    assert missing_weights(str(tmp_path), find) == "There is no file 'weights.hdf5'."
    assert f"'weights.hdf5'. The weights are expected from '{tmp_path}'" in caplog.text


def test_other_errors_are_raised() -> None:
    """Only an error of the configuration means that a file is missing."""
    with pytest.raises(ZeroDivisionError):
        missing_weights(None, [lambda: 1 // 0])
