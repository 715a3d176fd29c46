"""The folder in which an unfinished output lies."""

from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.working_folder import RESUMABLE, WorkingFolder
from allennlp_elmo_plugin.io.journaled_file import JournaledFile

SETTINGS = {"input": "a", RESUMABLE: True}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> WorkingFolder:
    return WorkingFolder(tmp_path / "out.h5")


def _write_data(folder: WorkingFolder) -> None:
    with JournaledFile(folder.data_path) as file:
        file.write(b"vectors")
        file.commit({})


def test_it_lies_beside_the_output(folder: WorkingFolder, tmp_path: Path) -> None:
    """Its name says whose it is."""
    assert folder.path == tmp_path / "out.h5.partial"
    assert {folder.data_path.parent, folder.input_path.parent} == {folder.path}


def test_it_exists_from_the_beginning_to_the_end(folder: WorkingFolder) -> None:
    """Work is begun when its settings are written, and goes on with the same ones."""
    assert not folder.is_begun and folder.num_bytes() == 0
    folder.begin(SETTINGS)
    _write_data(folder)
    folder.begin(SETTINGS)
    assert folder.is_begun and folder.num_bytes() == 7
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_other_settings_are_an_error(folder: WorkingFolder) -> None:
    """Each difference is named, also of a setting that only one of them has."""
    folder.begin(SETTINGS)
    with pytest.raises(ConfigurationError) as error:
        folder.begin({"input": "b", "dtype": "float32", RESUMABLE: True})
    assert "dtype was None and is 'float32'; input was 'a' and is 'b'." in str(error.value)


def test_unfinished_work_is_not_overwritten(folder: WorkingFolder) -> None:
    """Someone has to resume it or delete it."""
    folder.require_unused()
    folder.begin(SETTINGS)
    _write_data(folder)
    with pytest.raises(ConfigurationError, match=r"in '.*out.h5.partial'.* with --resume, or"):
        folder.require_unused()
    assert folder.num_bytes() == 7


@pytest.mark.parametrize("is_resumable", [True, False])
def test_what_is_of_no_use_is_removed(folder: WorkingFolder, is_resumable: bool) -> None:
    """Finished work whose folder was not removed, and work that cannot be resumed."""
    folder.begin({RESUMABLE: is_resumable})
    _write_data(folder)
    if is_resumable:
        folder.data_path.unlink()
    folder.require_unused()
    assert not folder.path.exists()


def test_a_removal_that_was_killed_is_completed(folder: WorkingFolder) -> None:
    """The journal of a finished file, without settings, does not say that the next is finished."""
    folder.begin(SETTINGS)
    _write_data(folder)
    (folder.path / "settings.json").unlink()
    folder.data_path.unlink()
    (folder.path / "data.num_tokens").write_bytes(b"")
    folder.input_path.write_text("a copy", encoding="utf-8")
    folder.begin(SETTINGS)
    assert not JournaledFile.is_moved(folder.data_path)
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == ["input", "settings.json"]


def test_a_folder_of_someone_else_is_left_alone(folder: WorkingFolder) -> None:
    """It would be removed in the end, so nothing is begun in it."""
    folder.path.mkdir()
    (folder.path / "thesis.tex").touch()
    with pytest.raises(ConfigurationError, match="it holds 'thesis.tex'"):
        folder.begin(SETTINGS)
    with pytest.raises(RuntimeError), folder.discarded_unless_begun():
        raise RuntimeError("stopped")
    assert [path.name for path in folder.path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_copy_of_the_input_stays_only_with_work(folder: WorkingFolder, is_begun: bool) -> None:
    """An error before the beginning leaves nothing."""
    with pytest.raises(RuntimeError), folder.discarded_unless_begun():
        folder.path.mkdir()
        folder.input_path.write_text("a copy", encoding="utf-8")
        if is_begun:
            folder.begin(SETTINGS)
        raise RuntimeError("stopped")
    assert folder.input_path.exists() == folder.path.exists() == is_begun


def test_work_of_a_process_that_runs_is_not_removed(folder: WorkingFolder) -> None:
    """Not even work that nobody can resume."""
    folder.begin({**SETTINGS, RESUMABLE: False})
    with JournaledFile(folder.data_path):
        with pytest.raises(ConfigurationError, match="Another process writes the output"):
            folder.require_unused()
        assert folder.is_begun
    folder.require_unused()
    assert not folder.path.exists()
