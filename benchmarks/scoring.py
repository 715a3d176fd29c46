"""
Throughput of scores over a whole vocabulary, beside the biLM alone and the limit of the product.
"""

from functools import partial
from typing import Any, Dict, List, NamedTuple

import torch

from allennlp_elmo_plugin import BilmEncoder, ElmoBilm, ElmoOptions, LruWordCache, ZeroState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.language_model.vocabulary import UNKNOWN_WORD
from allennlp_elmo_plugin.scoring.language_model import LanguageModel
from allennlp_elmo_plugin.scoring.scorer import ElmoScorer
from allennlp_elmo_plugin.scoring.word_distribution import WordDistribution
from benchmarks.limits import measure_machine
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings
from benchmarks.shapes import SHAPES
from benchmarks.timing import interleaved_medians, seconds_of

__all__ = ["CASES", "ScoringCase", "measure_scoring"]

NUM_TOKENS = 400
SCORES, BILM = "scores", "biLM"


class ScoringCase(NamedTuple):
    """
    A biLM and the size of its vocabulary.

    # Parameters

    options : `ElmoOptions`
        Shape of the biLM.
    num_words : `int`
        The number of words.
    """

    options: ElmoOptions
    num_words: int


CASES: Dict[str, ScoringCase] = {
    "pretrained:small": ScoringCase(
        ElmoOptions(
            filters=((1, 16), (2, 16), (3, 32), (4, 64), (5, 128)),
            num_highways=1,
            projection_dim=128,
            cell_size=256,
            num_layers=2,
            cell_clip=3.0,
            proj_clip=3.0,
        ),
        20_000,
    ),
    "2x1024_128": ScoringCase(SHAPES["2x1024_128"], 50_000),
    "2x4096_512": ScoringCase(SHAPES["2x4096_512"], 793_471),
}
"""A model that comes with the plugin, and two published shapes, one with its published softmax."""


def measure_scoring(settings: Settings) -> Section:
    """
    Times the engine of `elmo-score`, interleaved with that of `elmo` for the biLM's top layer.

    Both run a few hundred tokens in float32. Their word cache holds all words.

    # Parameters

    settings : `Settings`
        Sentences, number of rounds, and names of the shapes; the smallest case is always measured.

    # Returns

    `Section`
        Throughput with and without the softmax. The limit is the time of the softmax's products in
        both directions at the machine's product rate; the share is the limit's in the time that the
        softmax adds.
    """
    rows = [
        _measure(name, case, settings)
        for number, (name, case) in enumerate(CASES.items())
        if number == 0 or name in settings.models
    ]
    table = Table(
        "Scores over a whole vocabulary in float32: tokens per second; time as a multiple of the\n"
        "biLM's alone; share of the limit of the product in what the softmax adds",
        ("shape", "words", "biLM alone", "scores", "time", "share of the limit, %"),
        [
            (
                row["shape"],
                f"{row['words']}",
                f"{row['tokens'] / row['bilm_seconds']:.0f}",
                f"{row['tokens'] / row['seconds']:.0f}",
                times(row["seconds"] / row["bilm_seconds"]),
                f"{100 * row['share']:.0f}",
            )
            for row in rows
        ],
    )
    return Section({"scoring": rows}, [table])


def _measure(name: str, case: ScoringCase, settings: Settings) -> Dict[str, Any]:
    sentences = _first_sentences(settings.sentences)
    scorer = _scorer(case)
    extractor = ElmoExtractor(scorer.encoder, "top")
    tasks = {
        SCORES: partial(scorer.run_window, sentences),
        BILM: partial(extractor.run_window, sentences),
    }
    for task in tasks.values():
        seconds_of(task)
    seconds = interleaved_medians(tasks, settings.rounds)
    num_predictions = sum(len(sentence) + 1 for sentence in sentences)
    # A multiplication and an addition for each weight, in two directions.
    num_operations = 2 * 2 * case.num_words * case.options.projection_dim * num_predictions
    limit = num_operations / measure_machine(case.options, "float32").product_rate
    return {
        "shape": name,
        "words": case.num_words,
        "tokens": sum(map(len, sentences)),
        "seconds": seconds[SCORES],
        "bilm_seconds": seconds[BILM],
        "limit_seconds": limit,
        "share": limit / max(seconds[SCORES] - seconds[BILM], limit),
    }


def _first_sentences(sentences: List[Sentence]) -> List[Sentence]:
    """Returns the first sentences, with a few hundred tokens."""
    chosen: List[Sentence] = []
    for sentence in sentences:
        if sum(map(len, chosen)) >= NUM_TOKENS:
            break
        chosen.append(sentence)
    return chosen


def _scorer(case: ScoringCase) -> ElmoScorer:
    """Returns a scorer with random weights."""
    torch.manual_seed(0)
    encoder = BilmEncoder(ElmoBilm(case.options), ZeroState(), LruWordCache())
    weight = torch.randn(case.num_words, case.options.projection_dim)
    distribution = WordDistribution(weight, torch.zeros(case.num_words))
    words = [UNKNOWN_WORD, *map(str, range(case.num_words - 1))]
    return ElmoScorer(LanguageModel(encoder, distribution, words))
