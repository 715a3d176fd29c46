"""
Checks of the members of a tar archive, before they are extracted.

They do what Python's filter `data` does, for Pythons without it, and bound the size.
"""

import posixpath
import tarfile
from typing import List, Optional, Set

from allennlp.common.checks import ConfigurationError

__all__ = ["MemberChecks"]

MAX_MEMBERS = 100_000
"""The largest number of members; a model's archive has a dozen."""


class MemberChecks:
    """
    Checks of an archive's members, one after the other, in the order of the archive.

    # Parameters

    archive_file : `str`
        Path of the archive, for the errors.
    free_bytes : `Optional[int]`
        Number of bytes that the members may have together. `None` is any number.
    """

    def __init__(self, archive_file: str, free_bytes: Optional[int] = None) -> None:
        self._archive_file = archive_file
        self._free_bytes = free_bytes
        self._num_members = 0
        self._num_bytes = 0
        self._files: Set[str] = set()
        self._links: Set[str] = set()
        self._passed: Set[str] = set()

    def check(self, member: tarfile.TarInfo) -> None:
        """
        Refuses a member that is no plain file, folder or link, or that leaves the folder.

        # Parameters

        member : `tarfile.TarInfo`
            The next member.

        # Raises

        `ConfigurationError`
            If the member is refused. The message names it and the archive.
        """
        self._check_size(member)
        name = self._inside(member, member.name)
        self._refuse_links(member, (_passed_folders(name) | {name}) & self._links)
        if member.issym():
            # A link starts at the folder that it lies in.
            target = posixpath.join(posixpath.dirname(name), member.linkname)
            self._inside(member, target, member.linkname)
            passed = _passed_folders(target)
            self._refuse_links(member, passed & self._links)
            self._passed |= passed
            self._links.add(name)
            # A link may also change where an earlier link leads to.
            self._refuse_links(member, self._passed & {name})
        elif member.islnk():
            if self._inside(member, member.linkname) not in self._files:
                self._refuse(member, f"it links to '{member.linkname}', which is no file before it")
        elif not (member.isreg() or member.isdir()):
            self._refuse(member, "it is a device or another special file")
        if member.isreg() or member.islnk():
            self._files.add(name)

    def _check_size(self, member: tarfile.TarInfo) -> None:
        self._num_members += 1
        self._num_bytes += max(member.size, 0)
        if member.size < 0:
            self._refuse(member, f"it claims to have {member.size} bytes")
        if self._num_members > MAX_MEMBERS:
            self._refuse(member, f"it is more than the {MAX_MEMBERS:,}th")
        if self._free_bytes is not None and self._num_bytes > self._free_bytes:
            self._refuse(
                member,
                f"up to it the archive unpacks to {self._num_bytes:,} bytes, and the disk of the "
                f"temporary folder has {self._free_bytes:,} free (the environment variable TMPDIR "
                "chooses another)",
            )

    def _inside(self, member: tarfile.TarInfo, path: str, shown: Optional[str] = None) -> str:
        """Returns a normalized path, and refuses one outside of the folder."""
        shown = path if shown is None else shown
        plain = shown.replace("\\", "/")
        if plain.startswith("/") or ":" in plain.split("/")[0]:
            self._refuse(member, f"'{shown}' is an absolute path")
        normal = posixpath.normpath(path.replace("\\", "/"))
        if "\0" in normal or normal.split("/")[0] == "..":
            self._refuse(member, f"'{shown}' leads out of the folder")
        return normal

    def _refuse_links(self, member: tarfile.TarInfo, links: Set[str]) -> None:
        for link in sorted(links):
            self._refuse(member, f"a path leads through the link '{link}', or has its name")

    def _refuse(self, member: tarfile.TarInfo, reason: str) -> None:
        raise ConfigurationError(
            f"Expected an archive with plain files and folders, but the member '{member.name}' of "
            f"'{self._archive_file}' is refused: {reason}. Nothing of the archive is kept. If you "
            "trust it, unpack it by hand and name the folder in place of the archive."
        )


def _passed_folders(path: str) -> Set[str]:
    """Returns every folder that the system passes on the way to a path, before `..` goes back."""
    folders: List[str] = []
    passed = set()
    for part in path.replace("\\", "/").split("/"):
        if folders:
            passed.add("/".join(folders))
        if part == "..":
            del folders[-1:]
        elif part not in ("", "."):
            folders.append(part)
    return passed
