"""Unpacking archives writes nothing outside of the folder, and leaves nothing of a refused one."""

import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Union

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.models import load_archive
from allennlp.models.archival import extracted_archive

from allennlp_elmo_plugin.patches import extraction

Member = Union[str, Dict[str, Any]]


def write_archive(path: Path, *members: Member) -> Path:
    """Writes an archive. A member is the name of a file, or attributes of its header."""
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            attributes = {"name": member} if isinstance(member, str) else dict(member)
            info = tarfile.TarInfo()
            data = attributes.pop("data", b"some data")
            for name, value in attributes.items():
                setattr(info, name, value)
            if info.isreg():
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                archive.addfile(info)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    """Returns a link as a member."""
    return {"name": name, "linkname": target, "type": kind}


HOSTILE: Dict[str, List[Member]] = {
    "parent": ["../escaped"],
    "parent within": ["vocabulary/../../escaped"],
    "absolute": ["/tmp/escaped"],
    "link to parent": [link("vocabulary", ".."), "vocabulary/escaped"],
    "absolute link": [link("weights.th", "/etc/passwd")],
    "link out of the folder": [link("vocabulary/words", "../../escaped")],
    "link through a link": [link("a", "b/c"), link("d", "a/../../escaped")],
    "link through a later link": [
        link("d", "a/../x"),
        link("p/q/r/a", "../../../x"),
        link("e", "p/q/r/a/../.."),
    ],
    "file over a link": [link("weights.th", "other"), "weights.th"],
    "file behind a link": [link("a", "b"), "a/escaped"],
    "hard link out of the folder": [link("a", "../escaped", tarfile.LNKTYPE)],
    "absolute hard link": [link("a", "/etc/passwd", tarfile.LNKTYPE)],
    "hard link to a link": [link("a", "b"), link("c", "a", tarfile.LNKTYPE)],
    "hard link to nothing": [link("a", "b", tarfile.LNKTYPE)],
    "FIFO": [{"name": "weights.th", "type": tarfile.FIFOTYPE}],
    "device": [{"name": "weights.th", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}],
    "block device": [{"name": "weights.th", "type": tarfile.BLKTYPE}],
}


@pytest.fixture(name="temporary")
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lets archives be unpacked in a folder that is looked at afterwards."""
    folder = tmp_path / "outer" / "temporary"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("members", list(HOSTILE.values()), ids=list(HOSTILE))
def test_hostile_members_are_refused(tmp_path: Path, temporary: Path, members: List[Any]) -> None:
    """The error names archive and member, nothing is written outside, and nothing remains."""
    archive = write_archive(tmp_path / "model.tar.gz", "config.json", *members)
    names = [each if isinstance(each, str) else each["name"] for each in members]
    with pytest.raises(ConfigurationError, match="member '.*' of '.*model.tar.gz'") as caught:
        load_archive(archive)
    assert any(f"member '{name}'" in str(caught.value) for name in names)
    assert sorted(os.listdir(temporary.parent)) == ["temporary"]
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("members", list(HOSTILE.values()), ids=list(HOSTILE))
def test_what_cached_path_extracts_is_checked_too(tmp_path: Path, members: List[Any]) -> None:
    """The vocabulary of an archive, and `allennlp diff`, come through another function."""
    archive = write_archive(tmp_path / "model.tar.gz", "config.json", *members)
    with pytest.raises(ConfigurationError, match="member '.*' of '.*model.tar.gz'"):
        cached_path(archive, cache_dir=tmp_path / "cache", extract_archive=True)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_honest_members_are_extracted(tmp_path: Path, temporary: Path) -> None:
    """Files, folders and links within the archive come out, whatever their modes are."""
    archive = write_archive(
        tmp_path / "model.tar.gz",
        {"name": "vocabulary", "type": tarfile.DIRTYPE, "mode": 0o000},
        {"name": "vocabulary/tokens.txt", "mode": 0o400, "data": b"rain\n"},
        "./config.json",
        link("vocabulary/words.txt", "tokens.txt"),
        link("weights.th", "./config.json", tarfile.LNKTYPE),
        "a..b/..c",
    )
    with extracted_archive(archive) as folder:
        assert Path(folder, "vocabulary", "words.txt").read_bytes() == b"rain\n"
        assert Path(folder, "weights.th").read_bytes() == b"some data"
        assert Path(folder, "a..b", "..c").is_file()
    assert os.listdir(temporary) == []
    with extracted_archive(archive, cleanup=False) as folder:
        pass
    assert Path(folder, "config.json").is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path, temporary: Path) -> None:
    """A named pipe in place of an archive is an error that names it."""
    archive = tmp_path / "model.tar.gz"
    os.mkfifo(archive)
    expected = pytest.raises(ConfigurationError, match="model.tar.gz' is a named pipe")
    with expected, extracted_archive(str(archive)):
        pass
    assert os.listdir(temporary) == []


def test_more_than_the_disk_has_is_refused(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that claims more than there is room for is refused before it fills the disk."""
    usage = extraction.shutil.disk_usage(tmp_path)._replace(free=5000)
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda path: usage)
    archive = write_archive(tmp_path / "model.tar.gz", {"name": "weights.th", "data": bytes(5001)})
    with pytest.raises(ConfigurationError, match="'weights.th'.*5,001 bytes.*5,000 free"):
        load_archive(archive)
    assert os.listdir(temporary) == []


def test_a_huge_header_is_not_read(tmp_path: Path, temporary: Path) -> None:
    """A header's size is only a claim, so it takes no memory."""
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    with gzip.open(tmp_path / "model.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(ConfigurationError, match="model.tar.gz.*claims to have 1,099,511"):
        load_archive(tmp_path / "model.tar.gz")
    assert os.listdir(temporary) == []


DAMAGES: Dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "no gzip": lambda data: b"PK" + data,
    "cut off": lambda data: data[: len(data) // 2],
    "without its checksum": lambda data: data[:-8],
    "with another checksum": lambda data: data[:-8] + bytes(8),
    "no tar": lambda data: gzip.compress(b"no archive " * 100),
    "with a damaged header": lambda data: gzip.compress(
        gzip.decompress(data)[:1024] + b"\xff" * 512 + gzip.decompress(data)[1536:]
    ),
}


def test_members_in_each_others_way_are_a_clear_error(tmp_path: Path, temporary: Path) -> None:
    """A file cannot be extracted where an earlier member made a folder."""
    folder = {"name": "vocabulary", "type": tarfile.DIRTYPE}
    archive = write_archive(tmp_path / "model.tar.gz", "config.json", folder, "vocabulary")
    with pytest.raises(ConfigurationError, match="whole archive.*model.tar.gz"):
        load_archive(archive)
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("damage", list(DAMAGES.values()), ids=list(DAMAGES))
def test_a_damaged_archive_is_a_clear_error(
    tmp_path: Path, temporary: Path, damage: Callable[[bytes], bytes]
) -> None:
    """The error names the archive for any fault that `gzip` or `tarfile` finds."""
    archive = write_archive(tmp_path / "model.tar.gz", "config.json", "weights.th", "meta.json")
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(ConfigurationError, match="whole archive.*model.tar.gz"):
        load_archive(archive)
    assert os.listdir(temporary) == []


def test_checks_hold_without_pythons_filter(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older Pythons have no filter `data`, and refuse the same archives."""
    if hasattr(tarfile, "data_filter"):
        monkeypatch.delattr(tarfile, "data_filter")
    for number, members in enumerate(HOSTILE.values()):
        archive = write_archive(tmp_path / f"{number}.tar.gz", *members)
        with pytest.raises(ConfigurationError, match="member '"):
            load_archive(archive)
    assert sorted(os.listdir(temporary.parent)) == ["temporary"]
