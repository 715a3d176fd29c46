"""
The small extractions that are killed: their input, and their command lines.
"""

import random
from pathlib import Path
from typing import Dict, List, NamedTuple

import torch

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from tests.support.language_model_experiment import OPTIONS, WORDS

__all__ = ["EXTRACTIONS", "Extraction", "write_input"]

NUM_SENTENCES, MAX_WORDS = 240, 7
TARGETS = "rain\ncaf\u00e9\nnowhere\n"

# The first two are drawn as often as all others together.
EXTRACTIONS: Dict[str, List[str]] = {
    "all.hdf5": ["--all"],
    "texts.h5": ["--average", "--dtype", "float16", "--keys", "sentences"],
    "top.npz": ["--top", "--precision", "int8"],
    "all.npy": ["--all", "--initial-state", "zero"],
    "means.npy": ["--average", "--pool", "mean"],
    "words.parquet": ["--layer", "0"],
    "lines.jsonl": ["--top", "--keep-sentence-boundaries"],
    "targets.npz": ["--all", "--targets", "targets.txt"],
    "types.vec": ["--average", "--types", "20"],
    "types.bin": ["--average", "--types", "20"],
}
"""Options of each run by the name of its output. Paths are relative to the input's folder."""


class Extraction(NamedTuple):
    """
    An extraction that writes into a folder.

    # Parameters

    name : `str`
        A key of `EXTRACTIONS`.
    inputs : `Path`
        The folder that `write_input` filled.
    folder : `Path`
        The folder for the output.
    """

    name: str
    inputs: Path
    folder: Path

    @property
    def output(self) -> Path:
        """Path of the output."""
        return self.folder / self.name

    @property
    def working_folder(self) -> Path:
        """Path of the folder for unfinished work."""
        return self.folder / f"{self.name}.partial"

    @property
    def paths(self) -> List[Path]:
        """Paths of all files of the output, the one that completes it last."""
        has_places = self.name.endswith(".npy") or self.name.startswith("targets")
        return [*([self.output.with_suffix(".json")] if has_places else []), self.output]

    def arguments(self, resumes: bool) -> List[str]:
        """
        Returns the command and its arguments.

        # Parameters

        resumes : `bool`
            If `True`, with `--resume`.
        """
        options = [
            str(self.inputs / option) if option.endswith(".txt") else option
            for option in EXTRACTIONS[self.name]
        ]
        # A budget this small makes many windows, after each of which the work is committed.
        options += ["--model", str(self.inputs / "elmo"), "--max-tokens", "8"]
        options += ["--resume"] if resumes else []
        return ["elmo", str(self.inputs / "sentences.txt"), str(self.output), *options]


def write_input(
    folder: Path, num_sentences: int = NUM_SENTENCES, max_words: int = MAX_WORDS
) -> None:
    """
    Writes a biLM, sentences and target words.

    # Parameters

    folder : `Path`
        An empty folder.
    num_sentences : `int`, optional (default = `240`)
        The number of sentences.
    max_words : `int`, optional (default = `7`)
        The largest number of words of a sentence, besides a first one that no other sentence has.
    """
    torch.manual_seed(5)
    ElmoBilm(ElmoOptions.from_dict(OPTIONS)).to_folder(folder / "elmo")
    drawn = random.Random(0)
    lines = []
    for number in range(num_sentences):
        # Distinct texts can be keys.
        lines.append(" ".join([f"w{number}", *drawn.choices(WORDS, k=drawn.randint(0, max_words))]))
    (folder / "sentences.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "targets.txt").write_text(TARGETS, encoding="utf-8")
