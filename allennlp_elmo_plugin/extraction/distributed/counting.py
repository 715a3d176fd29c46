"""
Counting the sentences of shards, and numbering the shards by the counts.
"""

from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions, open_shard
from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Shard
from allennlp_elmo_plugin.extraction.sentence import Sentence

__all__ = ["Count", "count_shard", "number_shards"]

BLOCK_BYTES = 1 << 20


class Count(NamedTuple):
    """
    Sizes of a shard.

    # Parameters

    id : `str`
        Id of the shard.
    num_sentences : `int`
        The number of sentences. Of a shard with an error, it is the number of lines, so that the
        sentences behind it still have numbers of their own.
    num_tokens : `int`
        The number of their tokens.
    longest : `int`
        The number of tokens of the longest sentence.
    has_ids : `bool`, optional (default = `None`)
        If `True`, the keys of the sentences are ids from the file. `None` if there is no sentence.
    error : `str`, optional (default = `None`)
        Error for which the shard cannot be extracted.
    """

    id: str
    num_sentences: int
    num_tokens: int
    longest: int
    has_ids: Optional[bool] = None
    error: Optional[str] = None


def count_shard(
    shard: Shard, options: InputOptions, visit: Optional[Callable[[Sentence], None]] = None
) -> Count:
    """
    Reads a shard once, counts what is in it and checks it.

    # Parameters

    shard : `Shard`
        The shard.
    options : `InputOptions`
        Options of the input.
    visit : `Callable[[Sentence], None]`, optional (default = `None`)
        Function that is called with each sentence, to count other things. If the count has an
        error, it saw a part of the sentences.

    # Returns

    `Count`
        The sizes. An input that cannot be read, or that has faults, is an error in them.

    # Raises

    `OSError`
        If a temporary file cannot be written, for example because the disk is full.
    """
    with TemporaryDirectory(prefix="elmo-shard-") as name:
        folder = Path(name)
        try:
            file = open_shard(shard, options, folder)
            survey = file.survey(visit)
            has_ids = file.has_ids if survey.num_sentences else None
        except ConfigurationError as error:
            num_lines = sum(map(_num_lines, folder.iterdir()))
            return Count(shard.id, num_lines, 0, 0, error=str(error))
    return Count(shard.id, survey.num_sentences, survey.num_tokens, survey.longest, has_ids)


def number_shards(
    shards: Iterable[Shard], counts: Iterable[Count]
) -> Tuple[List[Shard], List[Failure]]:
    """
    Gives each shard the place of its sentences in their file.

    # Parameters

    shards : `Iterable[Shard]`
        The shards in the order of the files and of their parts.
    counts : `Iterable[Count]`
        A count for each shard, in any order.

    # Returns

    `Tuple[List[Shard], List[Failure]]`
        The shards with their numbers, also those without a sentence, and with ids that differ
        where the keys of their sentences do; and the failures of those
        whose count has an error, or whose sentences have ids while the first of the file has none,
        or the other way round.

    # Raises

    `ValueError`
        If a shard has no count.
    """
    by_shard = {count.id: count for count in counts}
    numbered: List[Shard] = []
    failures: List[Failure] = []
    has_ids: Dict[str, bool] = {}
    next_numbers: Dict[str, int] = {}
    for shard in shards:
        count = by_shard.get(shard.id)
        if count is None:
            raise ValueError(
                f"Expected a count for each shard, got none for shard {shard.number}, "
                f"'{shard.location}' from byte {shard.start:,}."
            )
        error = count.error
        if count.has_ids is not None and error is None:
            error = _ids_error(shard, has_ids.setdefault(shard.location, count.has_ids), count)
        first_number = next_numbers.get(shard.location, 0)
        next_numbers[shard.location] = first_number + count.num_sentences
        if error is None:
            numbered.append(
                shard._replace(
                    id=_id_with_keys(shard, first_number),
                    first_number=first_number,
                    num_sentences=count.num_sentences,
                    num_tokens=count.num_tokens,
                )
            )
        else:
            failures.append(
                Failure(shard.id, shard.number, shard.location, shard.start, shard.end, error)
            )
    return numbered, failures


def _id_with_keys(shard: Shard, first_number: int) -> str:
    # A part with other keys is another one: a second file brings prefixes, and the number of
    # sentences of a shard that cannot be read is not known.
    text = f"{shard.id} {first_number} {shard.key_prefix}"
    return blake2b(text.encode("utf-8"), digest_size=8).hexdigest()


def _ids_error(shard: Shard, expected: bool, count: Count) -> Optional[str]:
    if count.has_ids == expected:
        return None
    words = ("an id", "none") if expected else ("no id", "one")
    return (
        f"'{shard.location} from byte {shard.start:,}': expected {words[0]}, as for the first "
        f"sentence of the file, got {words[1]}. Give an id to every sentence or to none, or take "
        "the numbers of the sentences for keys."
    )


def _num_lines(path: Path) -> int:
    """Returns the number of lines of a file, the last of which may lack its end."""
    num_lines = 0
    last = b"\n"
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            num_lines += block.count(b"\n")
            last = block[-1:]
    return num_lines + (last != b"\n")
