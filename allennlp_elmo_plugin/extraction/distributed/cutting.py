"""
Cutting input files into shards. No file is read for it.
"""

from hashlib import blake2b
from typing import Iterator, Sequence

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.input_files import InputFile
from allennlp_elmo_plugin.extraction.distributed.shard import Shard
from allennlp_elmo_plugin.io.text_lines import without_compression_suffix

__all__ = ["SHARD_BYTES", "cut_into_shards"]

SHARD_BYTES = 1 << 20


def cut_into_shards(files: Sequence[InputFile], shard_bytes: int = SHARD_BYTES) -> Iterator[Shard]:
    """
    Cuts files into shards of equal sizes, or nearly so.

    # Parameters

    files : `Sequence[InputFile]`
        The files. One that is compressed becomes one shard, and an empty one none.
    shard_bytes : `int`, optional (default = `1 << 20`)
        The most bytes of a shard of a file that is not compressed.

    # Returns

    `Iterator[Shard]`
        The shards in the order of the files. Their sentences are not counted yet.

    # Raises

    `ConfigurationError`
        If `shard_bytes` is less than 1.
    """
    if shard_bytes < 1:
        raise ConfigurationError(f"Expected shards of one or more bytes, got {shard_bytes}.")
    number = 0
    for file in files:
        is_compressed = without_compression_suffix(file.location) != file.location
        num_parts = -(-file.size // shard_bytes)
        if is_compressed:
            num_parts = min(num_parts, 1)
        key_prefix = f"{file.name}:" if len(files) > 1 else ""
        for part in range(num_parts):
            start = file.size * part // num_parts
            end = file.size * (part + 1) // num_parts
            shard_id = _digest(file, start, end)
            yield Shard(shard_id, number, file.location, file.version, start, end, key_prefix)
            number += 1


def _digest(file: InputFile, start: int, end: int) -> str:
    # No path or URL has a NUL character, so different files never have the same text.
    text = "\0".join((file.location, file.version, str(start), str(end)))
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
