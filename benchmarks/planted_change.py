"""
Ranks of words whose change was planted, among words that did not change.

The command is `python -m benchmarks.planted_change`. The texts of a folder are cut into two halves.
In a share of the sentences of the second half, the words of each planted pair are swapped. Then the
measures of `allennlp elmo-change` rank all target words: the planted ones should come first.
"""

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy
import torch

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.senses.clusters import CLUSTERINGS
from allennlp_elmo_plugin.senses.word_change import (
    MEASURES,
    ChangeOptions,
    WordChange,
    measure_change,
)
from benchmarks.report import Table, format_table

__all__ = ["Halves", "choose_targets", "main", "measure_planted_change", "plant", "split_texts"]

MIN_LETTERS = 4
MAX_TOKENS = 100
"""Longer lines are left out: they are hardly sentences."""
HALVES = ("sentences", "files")

Sentence = List[str]
Pair = Tuple[str, str]


class Halves(NamedTuple):
    """
    A corpus in two halves.

    # Parameters

    first, second : `List[Sentence]`
        Sentences of each half.
    """

    first: List[Sentence]
    second: List[Sentence]


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """
    Plants the change, ranks the words, prints the ranks, and writes `planted_change.json`.

    # Parameters

    arguments : `Sequence[str]`, optional (default = `None`)
        Arguments in place of the command line's.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    paths = sorted(chosen.folder.glob("*.txt"))
    if not paths:
        parser.error(f"there is no .txt file in '{chosen.folder}'")
    halves = split_texts(paths, chosen.halves, chosen.seed)
    extractor = ElmoExtractor.load(chosen.model, layers=chosen.layer)
    rows: List[Dict[str, Any]] = []
    try:
        targets = choose_targets(halves, chosen.words, chosen.occurrences, chosen.seed)
    except ValueError as error:
        parser.error(str(error))
    for share in chosen.shares:
        rows += measure_planted_change(
            halves, extractor, targets, chosen.pairs, share, chosen.occurrences[1], chosen.seed
        )
    num_planted = 2 * chosen.pairs
    columns = (
        "share",
        "measure",
        "median rank",
        "last rank",
        f"among the first {num_planted}",
        "seconds",
    )
    cells = [
        (
            f"{row['share']:g}",
            row["measure"],
            f"{row['median_rank']:g}",
            str(row["last_rank"]),
            f"{row['precision']:.0%}",
            f"{row['seconds']:.1f}" if "seconds" in row else "-",
        )
        for row in rows
    ]
    title = (
        f"Ranks of {num_planted} planted words among {chosen.words}, by the share of sentences in "
        f"which two words are swapped; halves by {chosen.halves}"
    )
    print(format_table(Table(title, columns, cells)), end="\n\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    written = chosen.output / "planted_change.json"
    written.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"Written: {written}")


def split_texts(paths: Sequence[Path], by: str, seed: int) -> Halves:
    """
    Reads texts with one tokenized sentence a line, and cuts them into two halves.

    # Parameters

    paths : `Sequence[Path]`
        The files.
    by : `str`
        `"sentences"`: each sentence goes to either half, so that only the planted words differ.
        `"files"`: each file does, so that authors and themes differ as well.
    seed : `int`
        Seed of the split.

    # Returns

    `Halves`
    """
    draw = random.Random(seed)
    halves = Halves([], [])
    # An equal number of files in each half.
    sides = [number % 2 for number in range(len(paths))]
    draw.shuffle(sides)
    for path, side in zip(paths, sides):
        for line in read_lines(path, "a text of the corpus"):
            tokens = line.split()
            if by == "sentences":
                side = draw.randrange(2)
            if 0 < len(tokens) <= MAX_TOKENS:
                halves[side].append(tokens)
    return halves


def choose_targets(
    halves: Halves, num_words: int, occurrences: Tuple[int, int], seed: int
) -> List[str]:
    """
    Draws words in lower case with similar numbers of occurrences in both halves.

    # Parameters

    halves : `Halves`
        The corpus.
    num_words : `int`
        Number of words.
    occurrences : `Tuple[int, int]`
        Smallest and largest number of occurrences in each half.
    seed : `int`
        Seed of the draw.

    # Returns

    `List[str]`
        The words, the most frequent one first.

    # Raises

    `ValueError`
        If there are fewer such words.
    """
    counts = [Counter(token for sentence in half for token in sentence) for half in halves]
    least, most = occurrences
    frequent = sorted(
        word
        for word in counts[0]
        if word.isalpha() and word.islower() and len(word) >= MIN_LETTERS
        if all(least <= count[word] <= most for count in counts)
    )
    if len(frequent) < num_words:
        raise ValueError(
            f"expected {num_words} words with {least} to {most} occurrences in each half, found "
            f"{len(frequent)}; give more text, or another --occurrences"
        )
    drawn = random.Random(seed).sample(frequent, num_words)
    return sorted(drawn, key=lambda word: (-sum(count[word] for count in counts), word))


def plant(
    sentences: Iterable[Sentence], pairs: Sequence[Pair], share: float, seed: int
) -> Iterator[Sentence]:
    """
    Swaps the words of each pair in a share of the sentences that have one of them.

    # Parameters

    sentences : `Iterable[Sentence]`
        The sentences.
    pairs : `Sequence[Tuple[str, str]]`
        The pairs of words, each word in one pair.
    share : `float`
        Probability that the words of a sentence are swapped, in [0, 1].
    seed : `int`
        Seed of the draw.

    # Returns

    `Iterator[Sentence]`
        All sentences in their order.
    """
    draw = random.Random(seed)
    other = {one: two for pair in pairs for one, two in (pair, pair[::-1])}
    for sentence in sentences:
        if other.keys() & set(sentence) and draw.random() < share:
            yield [other.get(token, token) for token in sentence]
        else:
            yield sentence


def measure_planted_change(
    halves: Halves,
    extractor: ElmoExtractor,
    targets: Sequence[str],
    num_pairs: int,
    share: float,
    max_occurrences: int,
    seed: int,
) -> List[Dict[str, Any]]:
    """
    Plants a change, and ranks all targets by each measure.

    # Parameters

    halves : `Halves`
        The corpus.
    extractor : `ElmoExtractor`
        The engine, with one vector for each token.
    targets : `Sequence[str]`
        The words by their frequency. A pair are neighbours in it.
    num_pairs : `int`
        Number of pairs.
    share : `float`
        Share of the sentences in which they are swapped.
    max_occurrences : `int`
        Largest number of occurrences that are clustered.
    seed : `int`
        Seed of every draw.

    # Returns

    `List[Dict[str, Any]]`
        For each measure, and for the divergence with each clustering: the ranks of the planted
        words from 1, their median and last rank, and the share of planted words among the first
        `2 * num_pairs`; for a divergence also the seconds that its run took.
    """
    starts = random.Random(seed).sample(range(0, len(targets) - 1, 2), num_pairs)
    pairs = [(targets[start], targets[start + 1]) for start in sorted(starts)]
    planted = {word for pair in pairs for word in pair}
    first = _vectors(halves.first, extractor, targets)
    second = _vectors(plant(halves.second, pairs, share, seed), extractor, targets)
    rows: List[Dict[str, Any]] = []
    for clustering in CLUSTERINGS:
        options = ChangeOptions(
            max_occurrences=max_occurrences, clustering=clustering, seed=seed, min_occurrences=1
        )
        started = time.monotonic()
        changes = measure_change(first, second, targets, options)
        seconds = time.monotonic() - started
        for measure in MEASURES:
            name = f"jsd, {clustering}" if measure == "jsd" else measure
            if name not in [row["measure"] for row in rows]:
                ranks = _ranks(changes, measure, planted)
                rows.append({"share": share, "measure": name, **ranks})
        # The other measures take hardly any of this time.
        rows[-1]["seconds"] = seconds
    return rows


def _vectors(
    sentences: Iterable[Sentence], extractor: ElmoExtractor, targets: Sequence[str]
) -> Dict[str, numpy.ndarray]:
    """Returns the vectors of all occurrences of the targets."""
    wanted = [sentence for sentence in sentences if not set(targets).isdisjoint(sentence)]
    found: Dict[str, List[numpy.ndarray]] = {word: [] for word in targets}
    for sentence, vectors in zip(wanted, extractor.stream(wanted)):
        for token, vector in zip(sentence, vectors):
            if token in found:
                # A copy, so that the rest of the sentence is freed.
                found[token].append(vector.copy())
    return {word: numpy.stack(vectors) for word, vectors in found.items() if vectors}


def _ranks(changes: Sequence[WordChange], measure: str, planted: Iterable[str]) -> Dict[str, Any]:
    known = [change for change in changes if getattr(change, measure) is not None]
    known.sort(key=lambda change: -getattr(change, measure))
    words = [change.word for change in known]
    words += [change.word for change in changes if change.word not in words]
    ranks = {word: words.index(word) + 1 for word in planted}
    return {
        "ranks": ranks,
        "median_rank": median(ranks.values()),
        "last_rank": max(ranks.values()),
        "precision": sum(rank <= len(ranks) for rank in ranks.values()) / len(ranks),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planted_change", description=__doc__
    )
    parser.add_argument(
        "folder", type=Path, help="a folder of .txt files with one tokenized sentence a line"
    )
    parser.add_argument(
        "--model",
        default="pretrained:small",
        help="a biLM as 'allennlp elmo' takes it (default: %(default)s)",
    )
    parser.add_argument(
        "--layer",
        type=lambda text: int(text) if text.isdecimal() else text,
        default="top",
        help="top, average or the number of a layer (default: %(default)s)",
    )
    parser.add_argument(
        "--words", type=int, default=50, help="number of targets (default: %(default)s)"
    )
    parser.add_argument(
        "--pairs", type=int, default=5, help="number of pairs that are swapped (default: 5)"
    )
    parser.add_argument(
        "--shares",
        type=float,
        nargs="+",
        default=[0.5],
        help="shares of sentences in which they are swapped (default: 0.5)",
    )
    parser.add_argument(
        "--occurrences",
        type=int,
        nargs=2,
        default=(100, 400),
        metavar=("LEAST", "MOST"),
        help="occurrences of a target in each half (default: 100 400)",
    )
    parser.add_argument(
        "--halves",
        choices=HALVES,
        default=HALVES[0],
        help="cut the corpus by sentences, so that nothing but the planted words differs, or by "
        "files, so that authors and themes differ too (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument("--threads", type=int, help="number of threads (default: torch's own)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/benchmarks"),
        help="the folder to write to (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    main()
