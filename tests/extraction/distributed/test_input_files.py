"""Finding the input files of a path, a glob or a URL."""

import os
from contextlib import suppress
from pathlib import Path
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.input_files import describe_file, find_input_files
from tests.support.s3_server import s3_bucket

fsspec = pytest.importorskip("fsspec")

TREE = (
    "a.txt",
    "b.txt.gz",
    "c[1].txt",
    "c1.txt",
    ".hidden.txt",
    "_state.txt",
    "deep/a.txt",
    "deep/er/z.txt",
    "deep/.git/x.txt",
    "_partial/x.txt",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files of different sizes in it and in its folders."""
    for number, name in enumerate(TREE):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * number)
    return tmp_path / "corpus"


def names(location: object) -> List[str]:
    """Returns the names of the files that are found."""
    return [file.name for file in find_input_files(str(location))]


VISIBLE = ["a.txt", "b.txt.gz", "c1.txt", "c[1].txt", "deep/a.txt", "deep/er/z.txt"]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("", VISIBLE),
        ("a.txt", ["a.txt"]),
        ("deep/a.txt", ["a.txt"]),
        ("deep", ["a.txt", "er/z.txt"]),
        ("_partial", ["x.txt"]),
        (".hidden.txt", [".hidden.txt"]),
        ("*.txt", ["_state.txt", "a.txt", "c1.txt", "c[1].txt"]),
        (".*.txt", [".hidden.txt"]),
        ("?.txt*", ["a.txt", "b.txt.gz"]),
        ("c[1].txt", ["c[1].txt"]),
        ("c[0-9].txt", ["c1.txt"]),
        ("*/a.txt", ["deep/a.txt"]),
        ("deep/**/*.txt", ["a.txt", "er/z.txt"]),
        ("de*/**", ["deep/a.txt", "deep/er/z.txt"]),
    ],
)
def test_files_are_found_by_name_folder_and_glob(
    tree: Path, pattern: str, expected: List[str]
) -> None:
    """Names start at the folder, or at that before the first `*`, and are sorted."""
    assert names(tree / pattern) == expected


def test_a_location_is_absolute(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers have other working directories; size and version are those of the file."""
    monkeypatch.chdir(tree)
    found = find_input_files("deep/er")
    assert [(file.location, file.size) for file in found] == [(str(tree / "deep/er/z.txt"), 7)]
    assert found == find_input_files(f"file://{tree}/deep/er") == [describe_file(found[0].location)]


def test_a_changed_file_has_another_version(tree: Path) -> None:
    """A file that is written again with the same size is told by its time."""
    before = find_input_files(tree)
    os.utime(tree / "a.txt", ns=(1, 1))
    after = find_input_files(tree)
    assert [a.name for a, b in zip(before, after) if a != b] == ["a.txt"]


def test_a_link_is_its_target(tree: Path) -> None:
    """In a folder and by name, with the size and the time of the target."""
    (tree / "deep" / "link.txt").symlink_to(tree / "c1.txt")
    (file,) = find_input_files(tree / "deep" / "link.txt")
    assert file in find_input_files(tree / "deep")
    (target,) = find_input_files(tree / "c1.txt")
    assert (file.size, file.version) == (3, target.version)


@pytest.mark.parametrize(
    "pattern, error",
    [
        ("nothing.txt", r"Expected a file or folder at '.*/nothing\.txt', but there is none"),
        ("*.nothing", r"one or more files that match '.*/corpus/\*\.nothing'"),
        ("no/*.txt", r"one or more files that match"),
        ("deep*", r"one or more files that match"),
        ("empty", r"one or more files in the folder '.*/empty' or in its folders"),
        ("pipe", r"a regular file at '.*/pipe', but it is none"),
        ("broken", r"Expected a file at '.*/corpus/broken/link', but there is none"),
        ("folders", r"a regular file at '.*/folders/link', but it is none"),
    ],
)
def test_nothing_to_read_is_an_error(tree: Path, pattern: str, error: str) -> None:
    """The message says what was looked for."""
    for name in ("empty/.git", "broken", "folders"):
        (tree / name).mkdir(parents=True)
    os.mkfifo(tree / "pipe")
    (tree / "broken" / "link").symlink_to(tree / "nothing")
    (tree / "folders" / "link").symlink_to(tree / "deep")
    with pytest.raises(ConfigurationError, match=error):
        find_input_files(tree / pattern)


def test_a_relative_path_is_named_as_given(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the path from which it was looked for, too."""
    monkeypatch.chdir(tree)
    with pytest.raises(ConfigurationError, match=r"at '/.*/corpus/no', .* none\. 'no' was given"):
        find_input_files("no")


def test_a_folder_that_cannot_be_listed_is_an_error(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are not left out."""
    scan = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("er"):
            raise PermissionError("not yours")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ConfigurationError, match=r"corpus', .* \(PermissionError: not yours\)"):
        find_input_files(tree)


def test_a_store_that_tells_no_size_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file can only be cut if its size is known."""
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(
        type(memory), "info", lambda *_: {"name": "/a", "type": "file", "size": None}
    )
    with pytest.raises(ConfigurationError, match=r"the size of 'memory:///?a', .* Download"):
        find_input_files("memory://a")


def test_files_of_s3_are_found() -> None:
    """As on this machine, and as they are now rather than when they were listed."""
    with s3_bucket() as bucket:
        store = fsspec.filesystem("s3")
        for number, name in enumerate(TREE):
            store.pipe_file(f"{bucket}/x/{name}", b"x" * number)
        store.pipe_file(f"{bucket}/x/deep/", b"")
        assert names(f"{bucket}/x") == names(f"{bucket}/x/") == VISIBLE
        assert names(f"{bucket}/x/*.txt") == ["_state.txt", "a.txt", "c1.txt", "c[1].txt"]
        assert names(f"{bucket}/x/**/z.txt") == ["deep/er/z.txt"]
        assert names(f"{bucket}/x/c[1].txt") == ["c[1].txt"]
        (file,) = find_input_files(f"{bucket}/x/deep/er/z.txt")
        assert file.location == f"{bucket}/x/deep/er/z.txt" and file.size == 7
        assert file in [each._replace(name="z.txt") for each in find_input_files(f"{bucket}/x")]
        assert describe_file(file.location) == file
        # Another client's write leaves the listings of this one as they are.
        fsspec.filesystem("s3", skip_instance_cache=True).pipe_file(file.location, b"y" * 7)
        assert find_input_files(file.location)[0].version != file.version
        for location, error in (
            (f"{bucket}/x/no.txt", "a file or folder at"),
            (f"{bucket}/x/*.no", "one or more files that match"),
            ("s3://no-such-bucket/x", "a file or folder at"),
        ):
            with pytest.raises(ConfigurationError, match=error):
                find_input_files(location)


def test_missing_credentials_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the store is in the message."""
    with s3_bucket() as bucket:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        fsspec.filesystem("s3").clear_instance_cache()
        with pytest.raises(ConfigurationError, match="cannot be read .* credentials"):
            find_input_files(f"{bucket}/x")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """It can be a part of neither a key nor a table."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with suppress(OSError), open(path, "wb") as file:
        file.write(b"a\n")
    if not os.path.exists(path):
        pytest.skip("the file system has names in UTF-8 alone")
    with pytest.raises(ConfigurationError, match=r"caf\\xe9.txt'. Rename"):
        find_input_files(tmp_path)
