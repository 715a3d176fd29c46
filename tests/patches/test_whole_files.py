"""The files of a training appear complete or not at all."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any, Callable, Dict, List
from unittest import mock

import pytest
from allennlp.common import Params
from allennlp.common.meta import Meta
from allennlp.common.util import dump_metrics
from allennlp.data import Vocabulary
from allennlp.models import archive_model
from allennlp.training.gradient_descent_trainer import hardlink_or_copy

from .experiment import config, train


class Unserializable:
    """A value that JSON cannot hold, behind others that are written first."""


WRITERS: Dict[str, Callable[[Path, Any], None]] = {
    "config": lambda path, value: Params({"a": 1, "b": value}).to_file(str(path)),
    "meta": lambda path, value: Meta(version=value).to_file(path),
    "metrics": lambda path, value: dump_metrics(str(path), {"a": 1, "b": value}),
}


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
def test_a_file_that_fails_leaves_the_one_from_before(
    tmp_path: Path, write: Callable[[Path, Any], None]
) -> None:
    """JSON that cannot be written to its end replaces nothing."""
    path = tmp_path / "file.json"
    write(path, "before")
    expected = path.read_text()
    assert "before" in json.dumps(json.loads(expected))
    with pytest.raises(TypeError):
        write(path, Unserializable())
    assert path.read_text() == expected
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_link_and_a_device_stay(tmp_path: Path) -> None:
    """Metrics can go to another file through a link, or to a device."""
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    dump_metrics(str(tmp_path / "link.json"), {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.json").read_text()) == {"a": 1}
    dump_metrics(os.devnull, {"a": 1})
    assert not Path(os.devnull).is_file()


def test_an_archive_that_fails_leaves_the_one_from_before(tmp_path: Path) -> None:
    """A kill or a full disk while a model is archived keeps the older archive."""
    output = tmp_path / "output"
    train(config(tmp_path), output)
    expected = (output / "model.tar.gz").read_bytes()
    add, added = tarfile.TarFile.add, []

    def add_or_fail(self: tarfile.TarFile, name: Any, *args: Any, **kwargs: Any) -> None:
        if added:
            raise OSError("no space left")
        added.append(name)
        add(self, name, *args, **kwargs)

    with mock.patch.object(tarfile.TarFile, "add", add_or_fail), pytest.raises(OSError):
        archive_model(output)
    assert (output / "model.tar.gz").read_bytes() == expected


@pytest.mark.parametrize("place", ["", "other", "other/named.tar.gz"])
def test_an_archive_is_written_where_it_is_told(tmp_path: Path, place: str) -> None:
    """The path of an archive is its own, a folder, or that of the training."""
    output = tmp_path / "output"
    train(config(tmp_path), output)
    (output / "model.tar.gz").unlink()
    (tmp_path / "other").mkdir()
    written = archive_model(output, archive_path=tmp_path / place if place else None)
    folder = tmp_path / place if place else output
    expected = folder if folder.suffix == ".gz" else folder / "model.tar.gz"
    assert Path(written) == expected
    with tarfile.open(written) as archive:
        assert {"config.json", "weights.th", "vocabulary"} <= set(archive.getnames())


def test_a_copy_replaces_the_file_in_one_step(tmp_path: Path) -> None:
    """The best weights are a hard link to the checkpoint, also for the second time."""
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    for _ in range(2):
        hardlink_or_copy(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "a").samefile(tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_vocabulary_is_complete_with_its_last_file(tmp_path: Path) -> None:
    """The file that AllenNLP reads first is the last that is written."""
    vocabulary = Vocabulary(tokens_to_add={"tokens": ["rain", "a\nb"], "tags": ["N"]})
    completed: List[str] = []
    replace = os.replace

    def traced(source: Any, target: Any) -> None:
        replace(source, target)
        completed.append(Path(target).name)

    with mock.patch("os.replace", traced):
        vocabulary.save_to_files(str(tmp_path))
    assert completed[-1] == "non_padded_namespaces.txt"
    assert sorted(completed[:-1]) == ["tags.txt", "tokens.txt"]
    read = Vocabulary.from_files(tmp_path)
    assert read.get_token_to_index_vocabulary() == vocabulary.get_token_to_index_vocabulary()
    assert read.get_token_to_index_vocabulary("tags") == {"N": 0}
