"""
Archives of trained models: damaged, hostile, and with odd weights.
"""

import gzip
import io
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from random import Random
from typing import Any, Dict, List, Tuple

import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model, load_archive
from allennlp.models.archival import archive_model
from overrides import overrides

from allennlp_elmo_plugin.network.spelling import spell_sentences
from reliability.fuzz.damage import damage
from reliability.fuzz.kind import ClearError, Kind, require
from reliability.fuzz.kinds.state_dicts import change_state_dict
from reliability.fuzz.odd_files import place_odd_file
from reliability.fuzz.result import is_in_plugin, place_of
from tests.support.elmo_files import elmo_options, write_elmo_files

__all__ = ["ArchivesKind"]

TEXT = [["rain", "falls"], ["the"]]
MEMBERS = ("config.json", "weights.th", "vocabulary/labels.txt", "vocabulary/tokens.txt")

# The plugin answers for its own code, whose errors must be a `ConfigurationError`. What AllenNLP
# and PyTorch say of their own parts of an archive counts as clear, except for these.
NEVER_CLEAR = (MemoryError, RecursionError)

Members = Dict[str, bytes]


class ArchivesKind(Kind):
    """
    Files that `load_archive` reads, whose biLM has no files besides the archive.

    Nothing outside of the folder of the extraction may be touched. A model that is loaded embeds a
    sentence; with honest weights it gives the honest vectors.
    """

    name = "archives"
    cases = 1000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = folder / "model.tar.gz"
        self._words = _write_archive(folder)
        with tarfile.open(self._path) as archive:
            self._members = {
                member.name: _content_of(archive, member) for member in archive if member.isfile()
            }
        # The honest archive must not need the files that its biLM came from.
        shutil.rmtree(folder / "elmo")
        self._honest = self._vectors(load_archive(self._path).model)
        self._ways = (
            self._damaged_archive,
            self._damaged_tar,
            self._damaged_member,
            self._missing_member,
            self._changed_config,
            self._changed_weights,
            self._changed_weights,
            self._hostile_members,
            self._hostile_members,
        )

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        temporary, canary = folder / "temporary", folder / "canary"
        for each in (temporary, canary):
            each.mkdir()
        (canary / "file").write_text("honest\n")
        os.mkfifo(canary / "pipe")
        path = folder / "model.tar.gz"
        if random.random() < 0.02:
            place_odd_file(random, path)
            is_honest = False
        else:
            is_honest = random.choice(self._ways)(random, path, canary)
        before = _listing(folder, temporary)
        tempfile.tempdir = str(temporary)
        try:
            with _clear_archive_errors(path):
                model = load_archive(str(path)).model
        finally:
            require(_listing(folder, temporary) == before, "files outside were touched")
        vectors = self._vectors(model)
        if is_honest:
            require(torch.equal(vectors, self._honest), "a model gives other vectors")

    def _vectors(self, model: Model) -> torch.Tensor:
        embedder: Any = model.eval().text_field_embedder
        with torch.no_grad():
            return embedder({"elmo": {"elmo_tokens": self._words}})

    def _damaged_archive(self, random: Random, path: Path, canary: Path) -> bool:
        content = damage(random, self._path.read_bytes())
        path.write_bytes(content)
        return False

    def _damaged_tar(self, random: Random, path: Path, canary: Path) -> bool:
        content = damage(random, gzip.decompress(self._path.read_bytes()))
        path.write_bytes(gzip.compress(content, 1))
        return False

    def _damaged_member(self, random: Random, path: Path, canary: Path) -> bool:
        members = dict(self._members)
        name = random.choice(sorted(members))
        members[name] = damage(random, members[name])
        _write_tar(path, members)
        return False

    def _missing_member(self, random: Random, path: Path, canary: Path) -> bool:
        members = dict(self._members)
        for name in random.sample(sorted(members), random.choice((1, 1, 2))):
            if random.random() < 0.5:
                members.pop(name)
            else:
                members[name] = b""
        _write_tar(path, members)
        return False

    def _changed_config(self, random: Random, path: Path, canary: Path) -> bool:
        """Changes a value of the embedder in the config."""
        config = json.loads(self._members["config.json"])
        section = config["model"]["text_field_embedder"]["token_embedders"]["elmo"]
        key = random.choice((*section, "encoder", "word_cache", "scalar_mix", "activation_cache"))
        values: Tuple[Any, ...] = (
            None,
            -1,
            0,
            10**9,
            1e308,
            "",
            "x" * 10_000,
            "\x00",
            [],
            {},
            {"type": "no"},
            True,
        )
        section[key] = random.choice(values)
        # The defaults of the two files are downloaded.
        if random.random() < 0.2 and key not in ("options_file", "weight_file"):
            del section[key]
        _write_tar(path, {**self._members, "config.json": json.dumps(config).encode()})
        return False

    def _changed_weights(self, random: Random, path: Path, canary: Path) -> bool:
        weights = torch.load(io.BytesIO(self._members["weights.th"]), map_location="cpu")
        changed, is_honest = change_state_dict(random, weights, canary)
        buffer = io.BytesIO()
        torch.save(changed, buffer)
        _write_tar(path, {**self._members, "weights.th": buffer.getvalue()})
        return is_honest

    def _hostile_members(self, random: Random, path: Path, canary: Path) -> bool:
        """Adds members that point outside, or that are no files."""
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            hostile = [
                member
                for _ in range(random.choice((1, 1, 2)))
                for member in _hostile(random, canary)
            ]
            if random.random() < 0.5:
                _add(archive, hostile)
                hostile = []
            _add(archive, [(tarfile.TarInfo(name), body) for name, body in self._members.items()])
            _add(archive, hostile)
        return False


class _clear_archive_errors:
    """A context of loading an archive, which tells clear errors from others."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None or isinstance(error, NEVER_CLEAR) or not isinstance(error, Exception):
            return
        place = place_of(error)
        # AllenNLP checks the types of a config's values beneath the plugin's `from_params`.
        is_ours = is_in_plugin(error) and not place.endswith(" from_params")
        if isinstance(error, ConfigurationError) or (not is_ours and str(error)):
            raise ClearError(str(error)) from error


def _write_archive(folder: Path) -> torch.Tensor:
    """Writes a small tagger that was not trained, and returns character ids of `TEXT`."""
    options = elmo_options(
        filters=((2, 4),), char_dim=3, cell_size=4, projection_dim=3, n_layers=1, max_characters=8
    )
    files = write_elmo_files(folder / "elmo", options)
    embedder = {"type": "elmo_token_embedder", "dropout": 0.0, **files._asdict()}
    embedder["encoder"] = {"initial_state": "zero"}
    config = {
        "dataset_reader": {
            "type": "sequence_tagging",
            "token_indexers": {"elmo": {"type": "elmo_characters", "max_characters_per_token": 8}},
        },
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {"token_embedders": {"elmo": embedder}},
            "encoder": {"type": "lstm", "input_size": 6, "hidden_size": 3},
        },
    }
    vocabulary = Vocabulary(tokens_to_add={"labels": ["N", "V"], "tokens": ["rain"]})
    run = folder / "run"
    vocabulary.save_to_files(str(run / "vocabulary"))
    Params(config).to_file(str(run / "config.json"))
    model = Model.from_params(vocab=vocabulary, params=Params(config)["model"])
    torch.save(model.state_dict(), run / "best.th")
    archive_model(str(run), archive_path=str(folder / "model.tar.gz"))
    return spell_sentences(TEXT, 8)


def _content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def _write_tar(path: Path, members: Members) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        _add(archive, [(tarfile.TarInfo(name), body) for name, body in members.items()])


def _add(archive: tarfile.TarFile, members: List[Tuple[tarfile.TarInfo, bytes]]) -> None:
    for member, body in members:
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))


def _hostile(random: Random, canary: Path) -> List[Tuple[tarfile.TarInfo, bytes]]:
    """Returns members that reach for the canary's folder, the only place that they may name."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
    inside = random.choice((*MEMBERS, "extra", "vocabulary/extra.txt", "a/" * 100 + "b"))
    outside = random.choice(
        (
            str(canary / "file"),
            str(canary / "new"),
            "../../canary/file",
            "vocabulary/../../../canary/new",
            "x/../../../canary/file",
            "..",
            str(canary / "pipe"),
        )
    )
    way = random.randrange(4)
    if way == 0:
        return [(tarfile.TarInfo(outside), b"hostile\n")]
    member = tarfile.TarInfo(inside)
    member.type = random.choice(kinds)
    member.linkname = outside
    member.mode = random.choice((0o000, 0o644, 0o7777))
    member.devmajor, member.devminor = 1, 5
    if way == 1:
        return [(member, b"")]
    if way == 2:
        # A link, and then a file through it.
        member.name, member.type = "link", tarfile.SYMTYPE
        member.linkname = random.choice((str(canary), "../../canary"))
        return [(member, b""), (tarfile.TarInfo("link/file"), b"hostile\n")]
    many = [tarfile.TarInfo(f"many/{number}") for number in range(random.choice((10, 2000)))]
    return [(each, b"") for each in many]


def _listing(folder: Path, temporary: Path) -> List[Tuple[str, int, bytes]]:
    """Returns every file of a case but those of the extraction, with its mode and content."""
    found = []
    for root, folders, names in os.walk(folder):
        if Path(root) == folder:
            folders.remove(temporary.name)
        for name in (*names, *folders):
            path = Path(root) / name
            is_plain = path.is_file() and not path.is_symlink() and path.suffix != ".gz"
            content = path.read_bytes() if is_plain else b""
            found.append((str(path), path.lstat().st_mode, content))
    return sorted(found)
