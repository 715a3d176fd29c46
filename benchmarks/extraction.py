"""
Throughput of `allennlp elmo`, from a file of sentences to an HDF5 file.
"""

import json
import os
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, NamedTuple, Type

import h5py
import torch
from allennlp.common.util import lazy_groups_of
from allennlp.modules.elmo import _ElmoBiLm, remove_sentence_boundaries
from overrides import overrides

from allennlp_elmo_plugin import BilmEncoder, LruWordCache, SentenceBatch, WarmState
from allennlp_elmo_plugin.extraction.batching import batches_of_window
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.models import CACHED_WORDS, load_elmo
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from benchmarks.report import Section, Table, times
from benchmarks.sentences import Sentence
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, character_ids
from benchmarks.timing import interleaved_medians

__all__ = [
    "Corpus",
    "FileOrderExtractor",
    "batches_of_job",
    "extract_as_allennlp",
    "measure_extraction",
    "run_job",
    "write_corpus",
]

BATCH_SIZE = 64
# A job takes some time for the whole file, which must be small beside that for its sentences.
NUM_SENTENCES = {"2x1024_128": 1 << 14}
DEFAULT_NUM_SENTENCES = 1024
# AllenNLP's class takes long, so it gets fewer sentences.
ALLENNLP_NUM_SENTENCES = 256
JOB, FILE_ORDER, ENCODER = "job", "file order", "encoder"


class Corpus(NamedTuple):
    """
    A file of tokenized sentences, one a line.

    # Parameters

    path : `Path`
        Path of the file.
    num_sentences : `int`
        The number of sentences.
    num_tokens : `int`
        The number of their tokens.
    """

    path: Path
    num_sentences: int
    num_tokens: int


class FileOrderExtractor(ElmoExtractor):
    """
    An engine whose batches hold 64 sentences in the order of the file.
    """

    @property
    @overrides
    def order_counts(self) -> bool:
        """Returns `True`, although the vectors do not depend on the order."""
        return True


def measure_extraction(settings: Settings) -> Section:
    """
    Times the way from a file of sentences to an HDF5 file with all layers, interleaved.

    Four sides take turns, each with a loaded model:

    - AllenNLP's `_ElmoBiLm` as the `ElmoEmbedder` of AllenNLP 0.9 ran it: batches of 64 sentences
      in the order of the file, and one call of `create_dataset` for each sentence.
    - An `ExtractionJob`, which is what `allennlp elmo` runs, with the initial state `warm`.
    - The same with batches of 64 sentences in the order of the file.
    - The encoder alone on the batches of the job, whose ids are tensors beforehand. Its layers go
      nowhere.

    The corpora of both are spread evenly over the sentences of the run, so their lengths have the
    same distribution. The job's word cache is empty at the beginning of each round.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Throughput for each shape and precision.
    """
    rows: List[Dict[str, Any]] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for shape in settings.models:
            ours, theirs = (
                write_corpus(_spread(settings.sentences, number), folder / f"{number}.txt")
                for number in (
                    NUM_SENTENCES.get(shape, DEFAULT_NUM_SENTENCES),
                    ALLENNLP_NUM_SENTENCES,
                )
            )
            rows.extend(_measure_shape(settings, shape, ours, theirs))
    return Section({"extraction": rows}, [_table(rows)])


def write_corpus(sentences: List[Sentence], path: Path) -> Corpus:
    """
    Writes sentences to a file.

    # Parameters

    sentences : `List[Sentence]`
        Sentences to write, one a line.
    path : `Path`
        File to write, in UTF-8.

    # Returns

    `Corpus`
        The file. It has more tokens than the sentences if there are spaces in some.
    """
    lines = [" ".join(sentence) for sentence in sentences]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Corpus(path, len(lines), sum(len(line.split()) for line in lines))


def extract_as_allennlp(bilm: _ElmoBiLm, corpus: Corpus) -> Path:
    """
    Does what the `embed_file` of AllenNLP 0.9 did.

    # Parameters

    bilm : `_ElmoBiLm`
        AllenNLP's biLM.
    corpus : `Corpus`
        File of sentences.

    # Returns

    `Path`
        HDF5 file with all layers of each sentence.
    """
    output = corpus.path.with_suffix(".allennlp.hdf5")
    keys: Dict[str, str] = {}
    with open(corpus.path, encoding="utf-8") as lines, h5py.File(output, "w") as hdf5:
        for batch in lazy_groups_of(map(str.strip, lines), BATCH_SIZE):
            sentences = [line.split() for line in batch]
            for line, sentence, layers in zip(batch, sentences, _run_allennlp(bilm, sentences)):
                key = keys[line] = str(len(hdf5))
                vectors = layers[:, : len(sentence)].numpy()
                hdf5.create_dataset(key, vectors.shape, dtype="float32", data=vectors)
        index = hdf5.create_dataset("sentence_to_index", (1,), dtype=h5py.string_dtype())
        index[0] = json.dumps(keys)
    return output


def run_job(extractor: ElmoExtractor, corpus: Corpus) -> Path:
    """
    Does what `allennlp elmo` does, but for loading the model.

    # Parameters

    extractor : `ElmoExtractor`
        The engine.
    corpus : `Corpus`
        File of sentences.

    # Returns

    `Path`
        HDF5 file with the results of each sentence.
    """
    task: ExtractionTask[ElmoExtractor] = ExtractionTask(
        corpus.path.with_suffix(".hdf5"), has_sentence_index=True
    )
    job = ExtractionJob(SentenceFile(corpus.path), extractor, task)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
        job.run(job.plan())
    return task.output


def batches_of_job(extractor: ElmoExtractor, corpus: Corpus) -> List[SentenceBatch]:
    """
    Builds the batches that an engine with length-sorted batches runs.

    # Parameters

    extractor : `ElmoExtractor`
        The engine.
    corpus : `Corpus`
        File of sentences.

    # Returns

    `List[SentenceBatch]`
        Batches in their order.
    """
    sentences = (sentence.tokens for sentence in SentenceFile(corpus.path))
    return [
        extractor.encoder.make_batch(character_ids([window[position] for position in positions]))
        for window in extractor.windows(sentences)
        for positions in batches_of_window(list(map(len, window)), extractor.max_tokens)
    ]


def _measure_shape(
    settings: Settings, shape: str, ours: Corpus, theirs: Corpus
) -> List[Dict[str, Any]]:
    model = settings.models[shape]
    allennlp = _ElmoBiLm(str(model / "options.json"), str(model / "weights.hdf5"))
    tasks: Dict[str, Callable[[], object]] = {
        ALLENNLP: partial(extract_as_allennlp, allennlp, theirs)
    }
    for precision in settings.precisions:
        encoder = load_elmo(model, precision=precision).encoder
        batches = batches_of_job(ElmoExtractor(encoder), ours)
        # The state converges once. The last batch of a window has the shortest sentences.
        with torch.inference_mode():
            encoder(batches[-1])
        tasks[f"{precision} {JOB}"] = partial(_extract, ElmoExtractor, encoder, ours)
        tasks[f"{precision} {FILE_ORDER}"] = partial(_extract, FileOrderExtractor, encoder, ours)
        tasks[f"{precision} {ENCODER}"] = partial(_encode, encoder, batches)
    seconds = interleaved_medians(tasks, settings.rounds)
    rows = []
    for precision in settings.precisions:
        taken, file_order, alone = (
            seconds[f"{precision} {side}"] for side in (JOB, FILE_ORDER, ENCODER)
        )
        speed = ours.num_tokens / taken
        rows.append(
            {
                "shape": shape,
                "precision": precision,
                "sentences": ours.num_sentences,
                "tokens": ours.num_tokens,
                "allennlp_sentences": theirs.num_sentences,
                "allennlp_tokens": theirs.num_tokens,
                "seconds": taken,
                "file_order_seconds": file_order,
                "encoder_seconds": alone,
                "allennlp_seconds": seconds[ALLENNLP],
                "ratio": speed / (theirs.num_tokens / seconds[ALLENNLP]),
                "ratio_to_file_order": file_order / taken,
                "share_of_encoder": alone / taken,
            }
        )
    return rows


def _run_allennlp(bilm: _ElmoBiLm, sentences: List[Sentence]) -> torch.Tensor:
    """Returns the layers of a batch, shape (batch, layers, timesteps, dim)."""
    with torch.no_grad():
        result = bilm(character_ids(sentences))
        mask = result["mask"]
        layers = [remove_sentence_boundaries(layer, mask)[0] for layer in result["activations"]]
        return torch.stack(layers, dim=1)


def _extract(extractor_class: Type[ElmoExtractor], encoder: BilmEncoder, corpus: Corpus) -> None:
    run_job(extractor_class(_with_empty_cache(encoder), batch_size=BATCH_SIZE), corpus)


def _encode(encoder: BilmEncoder, batches: List[SentenceBatch]) -> None:
    fresh = _with_empty_cache(encoder)
    with torch.inference_mode():
        for batch in batches:
            # A batch keeps what follows from its lengths, so each round needs a new one.
            fresh(SentenceBatch(batch.character_ids, None, batch.num_tokens, adds_boundaries=True))


def _with_empty_cache(encoder: BilmEncoder) -> BilmEncoder:
    """Returns an encoder of the same biLM with the same state, and no cached words."""
    state = WarmState()
    fresh = BilmEncoder(encoder.bilm, state, LruWordCache(CACHED_WORDS))
    state.load_state_dict(encoder.initial_state.state_dict())
    return fresh


def _spread(sentences: List[Sentence], number: int) -> List[Sentence]:
    """Returns as many sentences at equal distances, or all if there are no more."""
    number = min(number, len(sentences))
    return [sentences[index * len(sentences) // number] for index in range(number)]


def _table(rows: List[Dict[str, Any]]) -> Table:
    first = rows[0]
    return Table(
        "From a file of lines to HDF5, all layers, with a loaded model: tokens per second; speed\n"
        f"as a multiple of AllenNLP's on {first['allennlp_sentences']} of the lines, and of that "
        "in the order of the file;\nshare of the speed of the encoder alone",
        (
            *("shape", "precision", "lines", ALLENNLP, FILE_ORDER, JOB, ENCODER),
            *("ratio", "to file order", "share"),
        ),
        [
            (
                row["shape"],
                row["precision"],
                str(row["sentences"]),
                f"{row['allennlp_tokens'] / row['allennlp_seconds']:.0f}",
                *(
                    f"{row['tokens'] / row[key]:.0f}"
                    for key in ("file_order_seconds", "seconds", "encoder_seconds")
                ),
                times(row["ratio"]),
                times(row["ratio_to_file_order"]),
                f"{row['share_of_encoder']:.0%}",
            )
            for row in rows
        ],
    )
