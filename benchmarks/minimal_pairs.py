"""
The command `python -m benchmarks.minimal_pairs`: which sentences of minimal pairs a biLM prefers.
"""

import argparse
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from allennlp_elmo_plugin.scoring.pairs.accuracy import Accuracy
from allennlp_elmo_plugin.scoring.pairs.pair_file import PairFile
from allennlp_elmo_plugin.scoring.pairs.preference import PREFER_BY, MemberScores, Preference
from allennlp_elmo_plugin.scoring.scored_sentence import score_sentence
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.style import ScoreStyle
from benchmarks.report import Table, format_table

__all__ = ["MINIMAL_PAIRS", "accuracy_of"]

MINIMAL_PAIRS = Path(__file__).with_name("minimal_pairs.jsonl")
"""Pairs of five phenomena of English, in words that are frequent in novels."""
STATES = ("warm", "zero")
ALL = "all"


def accuracy_of(
    scorer: ElmoScorer, preference: Preference, pairs: Path = MINIMAL_PAIRS
) -> Accuracy:
    """
    Counts the pairs of which a biLM prefers the acceptable sentence.

    # Parameters

    scorer : `ElmoScorer`
        The engine.
    preference : `Preference`
        The rule that chooses a sentence.
    pairs : `Path`, optional (default = `MINIMAL_PAIRS`)
        Path of the pairs.

    # Returns

    `Accuracy`
        The counts by phenomenon.
    """
    accuracy = Accuracy()
    sentences = list(PairFile(pairs))
    results = scorer.score(sentence.tokens for sentence in sentences)
    members = [
        MemberScores.of(
            sentence.tokens,
            score_sentence(sentence.tokens, each, scorer.language_model, ScoreStyle()),
        )
        for sentence, each in zip(sentences, results)
    ]
    for good, bad, sentence in zip(members[::2], members[1::2], sentences[::2]):
        chosen = preference.choose(good, bad)
        accuracy.add(sentence.key, chosen, bool(good.unknown or bad.unknown))
    return accuracy


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """
    Prints the accuracy by phenomenon, with the initial states `warm` and `zero`.

    # Parameters

    arguments : `Sequence[str]`, optional (default = `None`)
        Arguments in place of the command line's.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.minimal_pairs",
        description="Tells which sentences of minimal pairs a biLM prefers.",
    )
    parser.add_argument(
        "model", nargs="?", default="pretrained:small", help="a biLM (default: %(default)s)"
    )
    parser.add_argument("--pairs", type=Path, default=MINIMAL_PAIRS, help="a file of pairs")
    parser.add_argument("--prefer-by", choices=PREFER_BY, default=PREFER_BY[0])
    chosen = parser.parse_args(arguments)
    counts: Dict[str, Dict[str, List[int]]] = {}
    for state in STATES:
        scorer = ElmoScorer.load(chosen.model, initial_state=state)
        groups = accuracy_of(scorer, Preference(chosen.prefer_by), chosen.pairs).groups
        counts[state] = {**groups, ALL: [sum(each) for each in zip(*groups.values())]}
    print(format_table(_table(chosen.model, counts)))


def _table(model: str, counts: Dict[str, Dict[str, List[int]]]) -> Table:
    return Table(
        f"Minimal pairs whose acceptable sentence '{model}' prefers, by initial state",
        ("phenomenon", "pairs", *(f"{state}, %" for state in STATES), "with unknown words"),
        [
            (
                name,
                str(num_pairs),
                *(f"{100 * counts[state][name][1] / num_pairs:.1f}" for state in STATES),
                str(num_unknown),
            )
            for name, (num_pairs, _, _, num_unknown) in counts[STATES[0]].items()
        ],
    )


if __name__ == "__main__":
    main()
