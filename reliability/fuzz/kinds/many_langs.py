"""
Files of ELMoForManyLangs: damaged, missing, and with hostile pickles.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, Dict, List

import numpy
import torch
from overrides import overrides

from allennlp_elmo_plugin import ElmoBilm, ElmoExtractor
from reliability.fuzz.damage import damage
from reliability.fuzz.kind import Kind, clear_errors, require
from reliability.fuzz.kinds.state_dicts import FileWriter, odd_value
from reliability.fuzz.odd_files import place_odd_file
from tests.support.many_langs_files import CASES, write_many_langs

__all__ = ["ManyLangsKind"]

PICKLES = ("encoder.pkl", "token_embedder.pkl")
DICTIONARIES = ("word.dic", "char.dic")
CONFIGS = ("config.json", "cnn_50_100_512_4096_sample.json")
NAMES = (*PICKLES, *DICTIONARIES, *CONFIGS)
SENTENCES = [["the", "rain", "caf\u00e9"], ["overlongwordsandmore"]]

LSTM_PREFIX = "_elmo_lstm."
WORD_DIM = CASES["plain"].token_embedder["word_dim"]
NUM_LAYERS = 3

Tensors = Dict[str, torch.Tensor]


class ManyLangsKind(Kind):
    """
    Files of ELMoForManyLangs.

    The state dicts have the format of PyTorch 0.4, which has no checksums, or that of today. The
    right result has the numbers that PyTorch reads from them, and the ids that the dictionaries
    have. With honest weights it embeds sentences. No code in a pickle is run.
    """

    name = "many_langs"
    cases = 1000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        write_many_langs(folder)
        self._tensors = {name: torch.load(folder / name) for name in PICKLES}
        self._files = {name: (folder / name).read_bytes() for name in NAMES}
        self._zips = {}
        for name, tensors in self._tensors.items():
            torch.save(tensors, folder / name)
            self._zips[name] = (folder / name).read_bytes()
        self._ways = (self._damaged, self._damaged, self._damaged, self._odd, self._hostile)

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        model, canary = folder / "model", folder / "canary"
        for each in (model, canary):
            each.mkdir()
        files = {**self._files, **(self._zips if random.random() < 0.5 else {})}
        for name, content in files.items():
            (model / name).write_bytes(content)
        changed = random.choice(self._ways)(random, model, canary)
        try:
            with clear_errors(str(model)):
                bilm = ElmoBilm.from_files(model, model)
        finally:
            require(not list(canary.iterdir()), "code in a pickle was run")
        found = bilm.state_dict()
        expected = _parameters({name: torch.load(model / name) for name in PICKLES})
        require(found.keys() == expected.keys(), "the parameters have other names")
        for name, tensor in expected.items():
            require(torch.equal(found[name], tensor), f"a parameter has other numbers: {name}")
        dictionary = bilm.options.dictionary
        assert dictionary is not None
        for name, ids in zip(DICTIONARIES, (dictionary.word_ids, dictionary.character_ids)):
            require(ids == _ids((model / name).read_bytes()), f"other ids of entries: {name}")
        if changed not in PICKLES:
            _require_vectors(model)

    def _damaged(self, random: Random, model: Path, canary: Path) -> str:
        path = model / random.choice((*PICKLES, *NAMES))
        path.write_bytes(damage(random, path.read_bytes()))
        return path.name

    def _odd(self, random: Random, model: Path, canary: Path) -> str:
        """Writes no file, a config with an odd value, or a state dict with an odd tensor."""
        path = model / random.choice(NAMES)
        if random.random() < 0.3 or path.name in DICTIONARIES:
            path.unlink()
            place_odd_file(random, path)
        elif path.name in CONFIGS:
            path.write_text(json.dumps(_with_odd_value(random, json.loads(path.read_text()))))
        else:
            tensors = dict(self._tensors[path.name])
            tensors[random.choice(sorted(tensors))] = odd_value(random)
            _save(random, tensors, path)
        return path.name

    def _hostile(self, random: Random, model: Path, canary: Path) -> str:
        """Adds code to run, in a state dict of either format or in the place of one."""
        path = model / random.choice(PICKLES)
        writer: Any = FileWriter(str(canary / "written"))
        inner = random.choice((writer, [writer], {"weight": writer}, (writer, 1)))
        content: Any = {
            **self._tensors[path.name],
            random.choice(("code", "projection.bias")): inner,
        }
        _save(random, random.choice((content, inner)), path)
        return path.name


def _save(random: Random, content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=random.random() < 0.5)


def _with_odd_value(random: Random, config: Dict[str, Any]) -> Dict[str, Any]:
    """Returns a config with another value, at its top or in a section."""
    sections = [config, *(value for value in config.values() if isinstance(value, dict))]
    section = random.choice(sections)
    values: List[Any] = [
        *(None, "", "x" * 1000, "../../etc", "\x00", "a\x00.json", [], {}, [[]], True, -1, 0, 1),
        *(17, 10**6, 10**9, 2**63, 10**30, 1e308, 0.5, float("nan"), [[1, 16], [2, 10**9]]),
    ]
    section[random.choice(sorted(section))] = random.choice(values)
    return config


def _parameters(files: Dict[str, Tensors]) -> Tensors:
    """Returns the parameters of the biLM that the state dicts are of."""
    found = {LSTM_PREFIX + key: tensor for key, tensor in files["encoder.pkl"].items()}
    tokens = {
        key.replace("convolutions.", "char_conv_").replace("highways.", "_highways."): tensor
        for key, tensor in files["token_embedder.pkl"].items()
    }
    matrix = tokens.pop("projection.weight")
    tokens["_word_table.projection"] = matrix[:, :WORD_DIM]
    tokens["_projection.weight"] = matrix[:, WORD_DIM:]
    tokens["_projection.bias"] = tokens.pop("projection.bias")
    for key, name in (
        ("word_emb_layer.embedding.weight", "_word_table.embedding"),
        ("char_emb_layer.embedding.weight", "_char_embedding_weights"),
    ):
        table = tokens.pop(key)
        tokens[name] = torch.cat([torch.zeros(1, table.shape[1], dtype=table.dtype), table])
    found.update({f"_token_embedder.{key}": tensor for key, tensor in tokens.items()})
    return {name: tensor.float() for name, tensor in found.items()}


def _ids(content: bytes) -> Dict[str, int]:
    """Returns the ids of a dictionary's entries, from 1."""
    lines = content.decode("utf-8-sig").split("\n")
    fields = [line.strip().split("\t") for line in lines[: -1 if not lines[-1] else None]]
    return {each[0] if each[1:] else "\u3000": int(each[-1]) + 1 for each in fields}


def _require_vectors(model: Path) -> None:
    with clear_errors():
        extractor = ElmoExtractor.load(model, initial_state="zero")
    for layers, sentence in zip(extractor.embed(SENTENCES), SENTENCES):
        require(layers.shape[:2] == (NUM_LAYERS, len(sentence)), "vectors of another shape")
        require(numpy.isfinite(layers).all(), "vectors that are not finite")
