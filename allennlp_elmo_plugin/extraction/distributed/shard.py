"""
The messages between the driver of a distributed extraction and its workers.
"""

from typing import NamedTuple

__all__ = ["Failure", "Receipt", "Shard"]


class Shard(NamedTuple):
    """
    A part of an input file, and the place of its sentences in that file.

    # Parameters

    id : `str`
        Digest of the file, of its version and of the part, and of what is in the keys once the
        sentences are counted, in hexadecimal.
    number : `int`
        Number of the shard in the input, from 0, in the order of the files and of their parts.
    location : `str`
        Absolute path or URL of the file.
    version : `str`
        Version of the file, as its file system tells them apart.
    start : `int`
        Position of the first byte. The shard has the sentences that begin at it or behind it.
    end : `int`
        Position behind the last byte at which a sentence of the shard may begin.
    key_prefix : `str`, optional (default = `""`)
        Text in front of the number of a sentence that has no id of its own.
    first_number : `int`, optional (default = `0`)
        Number of the first sentence in its file, from 0.
    num_sentences : `int`, optional (default = `0`)
        The number of sentences. It is 0 before they are counted.
    num_tokens : `int`, optional (default = `0`)
        The number of their tokens.
    """

    id: str
    number: int
    location: str
    version: str
    start: int
    end: int
    key_prefix: str = ""
    first_number: int = 0
    num_sentences: int = 0
    num_tokens: int = 0


class Receipt(NamedTuple):
    """
    A receipt for the finished file of a shard.

    # Parameters

    id : `str`
        Id of the shard.
    number : `int`
        Number of the shard.
    location : `str`
        Absolute path or URL of the input file.
    start, end : `int`
        As in the shard.
    path : `str`
        Name of the shard's file in the folder of the output.
    num_sentences : `int`
        The number of sentences in it.
    num_tokens : `int`
        The number of tokens that were run.
    num_bytes : `int`
        Size of the file.
    worker : `str`
        Host and process that ran it.
    started : `float`
        Time at which it was begun, in seconds since 1970.
    seconds : `float`
        Time that it took.
    """

    id: str
    number: int
    location: str
    start: int
    end: int
    path: str
    num_sentences: int
    num_tokens: int
    num_bytes: int
    worker: str
    started: float
    seconds: float


class Failure(NamedTuple):
    """
    A shard that was set aside.

    # Parameters

    id : `str`
        Id of the shard.
    number : `int`
        Number of the shard.
    location : `str`
        Absolute path or URL of the input file.
    start, end : `int`
        As in the shard.
    error : `str`
        The error of the last try.
    """

    id: str
    number: int
    location: str
    start: int
    end: int
    error: str
