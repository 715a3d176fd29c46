"""Opening the file system of a path or URL."""

import builtins
import datetime
import os
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.file_systems import explain_errors, file_version, open_file_system

pytest.importorskip("fsspec")


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Makes the import of a package fail."""
    real_import = builtins.__import__

    def import_other(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(f"No module named '{package}'")
        return real_import(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", import_other)


@pytest.mark.parametrize("name", ["a.txt", "a::b.txt", "a*.txt", "~", "a:b"])
def test_a_path_is_one_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Relative, absolute or as a URL, whatever its characters are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("x")
    for location in (name, f"./{name}", tmp_path / name):
        file_system, path = open_file_system(location)
        assert path == str(tmp_path / name)
        assert file_system.cat_file(path) == b"x"


def test_a_url_of_this_machine_is_a_path(tmp_path: Path) -> None:
    """`file://` stands for a path."""
    assert open_file_system(f"file://{tmp_path}/a.txt")[1] == f"{tmp_path}/a.txt"


def test_another_protocol_is_opened() -> None:
    """The path is what follows the protocol."""
    file_system, path = open_file_system("memory://folder/a.txt")
    assert "memory" in file_system.protocol and path == "/folder/a.txt"


@pytest.mark.parametrize(
    "location, error",
    [
        ("nosuch://a", r"got 'nosuch://a', which .* \(Protocol not known: nosuch\)\. Check its"),
        ("zip://a::/b.zip", "got 'zip://a::/b.zip', which '::' joins"),
        ("simplecache::s3://b/a", "Expected one path or URL"),
    ],
)
def test_a_url_that_cannot_be_opened_is_explained(location: str, error: str) -> None:
    """The error has the URL and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=error):
        open_file_system(location)


def test_a_missing_fsspec_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra has it."""
    without(monkeypatch, "fsspec")
    with pytest.raises(
        ConfigurationError, match=r"pip install 'allennlp-elmo-plugin\[distributed\]'"
    ):
        open_file_system("a.txt")


def test_a_missing_package_of_a_protocol_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    known = pytest.importorskip("fsspec.registry").known_implementations
    missing = {"class": "no_such_package.Store", "err": "Install nostorefs to access it"}
    monkeypatch.setitem(known, "nostore", missing)
    with pytest.raises(ConfigurationError, match="for 'nostore://' is missing .*nostorefs"):
        open_file_system("nostore://a")


TIME = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    "infos, is_same",
    [
        (({"size": 1, "ETag": '"a"'}, {"size": 1, "ETag": "a", "LastModified": TIME}), True),
        (({"size": 1, "ETag": "a"}, {"size": 1, "ETag": "b"}), False),
        (({"size": 1, "mtime": 1.5}, {"size": 2, "mtime": 1.5}), False),
        (({"size": 1, "mtime": 1.5}, {"size": 1, "mtime": 1.25}), False),
        (({"size": 1, "mtime": 1.5, "ino": 1}, {"size": 1, "mtime": 1.5, "ino": 2}), True),
        (({"size": 1}, {"size": 1, "name": "x"}), True),
    ],
)
def test_versions_differ_with_tag_time_and_size(
    infos: Tuple[Dict[str, Any], Dict[str, Any]], is_same: bool
) -> None:
    """A tag counts more than the time, and nothing else counts."""
    versions = {file_version(info) for info in infos}
    assert (len(versions) == 1) == is_same


def test_a_file_of_this_machine_has_a_new_version_when_it_is_touched(tmp_path: Path) -> None:
    """A changed time of 1 microsecond is enough."""
    path = tmp_path / "a.txt"
    path.write_text("x")
    versions = set()
    for time in (10**18, 10**18 + 1000):
        os.utime(path, ns=(time, time))
        file_system, found = open_file_system(path)
        versions.add(file_version(file_system.info(found)))
    assert len(versions) == 2


@pytest.mark.parametrize(
    "raised, error",
    [
        (FileNotFoundError("b"), "Expected a file at 's3://b/a', but there is none"),
        (RuntimeError("no credentials"), r"cannot be read \(RuntimeError: no credentials\)"),
        (ConfigurationError("as it was"), "^as it was$"),
    ],
)
def test_errors_name_what_is_read(raised: Exception, error: str) -> None:
    """Whatever their class is; those that do so already stay."""
    with pytest.raises(ConfigurationError, match=error), explain_errors("s3://b/a"):
        raise raised
