"""
The functions of bilm-tf that write files of vectors, and its `Batcher`.
"""

import os
from pathlib import Path
from typing import Sequence, Union

import numpy
from allennlp.common import Tqdm

from allennlp_elmo_plugin.embedder.initial_state.base import InitialState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.outputs.hdf5 import Hdf5Output
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.hdf5_files import write_hdf5
from allennlp_elmo_plugin.io.text_lines import read_lines
from allennlp_elmo_plugin.language_model.vocabulary import vocabulary_words
from allennlp_elmo_plugin.network.spelling import (
    BEGIN_OF_SENTENCE_TOKEN,
    END_OF_SENTENCE_TOKEN,
    spell_sentences,
)

__all__ = ["Batcher", "dump_bilm_embeddings", "dump_token_embeddings"]

Location = Union[str, "os.PathLike[str]"]

NUM_WORDS = 1024


class Batcher:
    """
    A speller of sentences, with the interface of bilm-tf.

    # Parameters

    lm_vocab_file : `Union[str, PathLike]`
        Ignored: bilm-tf spells the words of its vocabulary in advance, and with the same result.
        (If the file lacks `<S>` or `</S>`, bilm-tf spells its last word like a boundary.)
    max_token_length : `int`
        The number of characters of a token: `max_characters_per_token` of the options.
    """

    def __init__(self, lm_vocab_file: Location, max_token_length: int) -> None:
        self._width = max_token_length

    def batch_sentences(self, sentences: Sequence[Sequence[str]]) -> numpy.ndarray:
        """
        Spells a batch of sentences.

        # Parameters

        sentences : `Sequence[Sequence[str]]`
            The tokens of each sentence.

        # Returns

        `numpy.ndarray`
            Shape (batch, timesteps + 2, characters), int64, boundaries included, 0 = no token.
        """
        bounded = [[BEGIN_OF_SENTENCE_TOKEN, *each, END_OF_SENTENCE_TOKEN] for each in sentences]
        return spell_sentences(bounded, self._width).numpy()


def dump_bilm_embeddings(
    vocab_file: Location,
    dataset_file: Location,
    options_file: Location,
    weight_file: Location,
    outfile: Location,
    *,
    initial_state: Union[str, InitialState] = "carry",
) -> None:
    """
    Writes all layers of each sentence of a file to an HDF5 file.

    It gives the numbers of bilm-tf: the sentences run one by one, each from the state in which the
    one before ended. With the initial state `"warm"` a sentence has the same vectors wherever it
    stands, and many run at once.

    # Parameters

    vocab_file : `Union[str, PathLike]`
        Ignored, as for `Batcher`.
    dataset_file : `Union[str, PathLike]`
        Path or URL of a text file, one sentence a line, the tokens separated by white space. A
        blank line is a sentence without tokens.
    options_file, weight_file : `Union[str, PathLike]`
        The two files of the biLM, as for `load_elmo`.
    outfile : `Union[str, PathLike]`
        Path of the HDF5 file, which appears when it is complete. The number of a line, counted from
        0, names its dataset of shape (layers, tokens, dim), float32.
    initial_state : `Union[str, InitialState]`, optional (default = `"carry"`)
        The state that sentences start from, or its name: `"carry"`, `"warm"` or `"zero"`.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit.
    `OSError`
        When the file cannot be written.
    """
    extractor = ElmoExtractor.load(
        options_file, weight_file, batch_size=1, initial_state=initial_state
    )
    source = SentenceFile(dataset_file, "lines", keys="numbers", blank_lines="empty")
    task: ExtractionTask[ElmoExtractor] = ExtractionTask(Path(outfile), output_class=Hdf5Output)
    job = ExtractionJob(source, extractor, task, resumes=not extractor.order_counts)
    job.run(job.plan())


def dump_token_embeddings(
    vocab_file: Location, options_file: Location, weight_file: Location, outfile: Location
) -> None:
    """
    Writes the vector that the character CNN gives for each word of a vocabulary to an HDF5 file.

    # Parameters

    vocab_file : `Union[str, PathLike]`
        Path or URL of a text file, one word a line.
    options_file, weight_file : `Union[str, PathLike]`
        The two files of the biLM, as for `load_elmo`.
    outfile : `Union[str, PathLike]`
        Path of the HDF5 file, which appears when it is complete. Its dataset `embedding` has shape
        (words, projection_dim), float32.

    # Raises

    `ConfigurationError`
        When a file is missing, damaged or does not fit.
    `OSError`
        When the file cannot be written.
    """
    words = vocabulary_words(read_lines(vocab_file, "the vocabulary"))
    # The token layer of a word is the same in any sentence, and twice what the CNN gives.
    extractor = ElmoExtractor.load(options_file, weight_file, layers=0, initial_state="zero")
    size = extractor.dim // 2
    parts = [words[start : start + NUM_WORDS] for start in range(0, len(words), NUM_WORDS)]
    with write_atomically(Path(outfile)) as partial, write_hdf5(partial) as file:
        dataset = file.create_dataset("embedding", (len(words), size), dtype="float32")
        for number, vectors in enumerate(extractor.stream(Tqdm.tqdm(parts))):
            start = number * NUM_WORDS
            dataset[start : start + len(vectors)] = vectors[:, :size]
