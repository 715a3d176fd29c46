"""
Text files: corpora, vocabularies, word lists, CoNLL-U, and warm-up sentences.
"""

import gzip
import re
import zlib
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from allennlp.data import DatasetReader
from overrides import overrides

from allennlp_elmo_plugin import (
    BilmCorpusReader,
    BilmVocabulary,
    ConlluTaggingReader,
    ElmoBilm,
    ElmoOptions,
    VocabularyWordCache,
    WarmState,
)
from allennlp_elmo_plugin.language_model.corpus import Corpus
from allennlp_elmo_plugin.language_model.windows import stream_windows
from reliability.fuzz.damage import damage
from reliability.fuzz.kind import Kind, UnclearError, clear_errors, require
from reliability.fuzz.odd_files import place_odd_file

__all__ = ["TextFilesKind"]

OPTIONS = ElmoOptions(
    filters=((2, 4),), projection_dim=3, cell_size=4, num_layers=1, max_characters_per_token=8
)
LETTERS = (
    "a", "b", "the", "caf\u00e9", "\u96e8", "\U0001f327", "e\u0301", "\u200d", "\x00", "\ufffd",
    "_",
)  # fmt: skip
# Characters at which `str.splitlines` ends a line, and other white space.
SEPARATORS = ("\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\xa0", "\u3000")
INVALID = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"\x80")
REQUIRED_WORDS = ("<S>", "</S>", "<UNK>")
LINE_NUMBER = re.compile(r"line (\d+)")

Lines = List[bytes]


class TextFilesKind(Kind):
    """
    Text files of every reader.

    A line ends at a line feed, and nowhere else: the right result is that of splitting the bytes
    there. A file that is not in UTF-8 must be refused, and a line that the error names must be the
    one at fault.
    """

    name = "text_files"
    cases = 2000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bilm = ElmoBilm(OPTIONS)
        self._readers: Tuple[Callable[[Random, Path, Optional[bytes]], None], ...] = (
            _check_corpus,
            _check_windows,
            _check_vocabulary,
            _check_word_list,
            _check_conllu,
            self._check_warm_up,
        )

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        check = random.choice(self._readers)
        path = folder / ("text.txt.gz" if check in _READ_GZIP and random.random() < 0.4 else "text")
        if random.random() < 0.02:
            place_odd_file(random, path)
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        else:
            content = _write(random, path, b"\n".join(_lines(random, check)))
        check(random, path, content)

    def _check_warm_up(self, random: Random, path: Path, content: Optional[bytes]) -> None:
        state = WarmState(str(path), repeats=1)
        state.allocate(self._bilm)
        with clear_errors(str(path)):
            state.prepare(self._bilm)
        text = _decoded(content)
        given = WarmState([line for line in _split(text) if line.split()], repeats=1)
        given.allocate(self._bilm)
        given.prepare(self._bilm)
        require(torch.allclose(state.hidden, given.hidden, atol=1e-5), "other sentences were read")


def _check_corpus(random: Random, path: Path, content: Optional[bytes]) -> None:
    with clear_errors(str(path)), _right_line(content):
        sentences = list(Corpus([str(path)]))
    text = _decoded(content)
    _require_sentences(sentences, text)


def _check_windows(random: Random, path: Path, content: Optional[bytes]) -> None:
    """Checks that the reader gives every sentence once, and that none or few are an error."""
    num_steps = random.choice((None, 1, 3))
    reader = BilmCorpusReader(batch_size=1, num_steps=num_steps)
    with clear_errors(str(path)), _right_line(content):
        if content is not None and len(content) > 10**5:
            windows = stream_windows(iter(Corpus([str(path)])), 1, 20)
            number = sum(len(window.forward) - 1 for (window,) in windows)
            expected = sum(len(line) + 2 for line in _tokens(_decoded(content))) - 1
            require(number == expected, "other windows were read")
            return
        instances = _read_instances(reader, path)
    text = _decoded(content)
    require(instances, "an empty corpus was accepted")
    if num_steps is None:
        read = [[token.text for token in each["forward_inputs"]][1:-1] for each in instances]
        _require_sentences(read, text)
    number = sum(len(each["forward_targets"]) for each in instances)
    expected = sum(len(line) + 2 for line in _tokens(text)) - 1
    if num_steps is not None and "\r" not in text:
        require(number == expected, "other windows were read")


def _check_vocabulary(random: Random, path: Path, content: Optional[bytes]) -> None:
    with clear_errors(str(path)), _right_line(content):
        vocabulary = BilmVocabulary.from_vocabulary_file(str(path))
    words = [line.strip() for line in _split(_decoded(content)) if line.strip() != "!!!MAXTERMID"]
    indices = vocabulary.get_token_to_index_vocabulary("tokens")
    expected = {word: index for index, word in enumerate(words)}
    require(len(expected) == len(words), "a vocabulary with a word twice was accepted")
    require(indices == expected, "a word has another index than its line")


def _check_word_list(random: Random, path: Path, content: Optional[bytes]) -> None:
    with clear_errors(str(path)), _right_line(content):
        cache = VocabularyWordCache.from_source(file=str(path))
    # As for AllenNLP's vocabulary, a carriage return belongs to a line feed or to its word.
    words = _decoded(content).replace("\r\n", "\n").split("\n")
    words = words if words[-1] else words[:-1]
    require(cache.words[1:] == words, "a word has another index than its line")


def _check_conllu(random: Random, path: Path, content: Optional[bytes]) -> None:
    reader = ConlluTaggingReader()
    with clear_errors(str(path)), _right_line(content):
        instances = _read_instances(reader, path)
    expected = _conllu_sentences(_decoded(content))
    if expected is not None:
        read = [
            ([token.text for token in each["tokens"]], list(each["tags"].labels))
            for each in instances
        ]
        require(read == expected, "other words or tags were read")


_READ_GZIP = (_check_corpus, _check_windows)


def _read_instances(reader: DatasetReader, path: Path) -> List[Any]:
    """Returns the instances, at most so many as any honest file of a case has."""
    return list(islice(reader.read(str(path)), 100_000))


def _require_sentences(sentences: List[List[str]], text: str) -> None:
    # A carriage return ends a line as well for most readers of text.
    accepted = [_tokens(text), _tokens(text.replace("\r", "\n"))]
    require(sentences in accepted, "other sentences were read")


def _tokens(text: str) -> List[List[str]]:
    return [line.split() for line in text.split("\n") if line.split()]


def _split(text: str) -> List[str]:
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else lines


def _decoded(content: Optional[bytes]) -> str:
    """Returns the text of a file that was read without an error."""
    require(content is not None, "no file was read as one")
    assert content is not None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        require(False, "a file that is not in UTF-8 was accepted")
        raise


def _conllu_sentences(text: str) -> Optional[List[Tuple[List[str], List[str]]]]:
    """Returns words and tags, or `None` for text that leaves it open what they are."""
    sentences: List[Tuple[List[str], List[str]]] = []
    rows: List[Tuple[str, str]] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("#"):
            if rows:
                return None
        elif line:
            columns = line.split("\t")
            if len(columns) != 10 or columns[0] != str(len(rows) + 1) or line != line.strip():
                return None
            rows.append((columns[1], columns[3]))
        elif rows:
            sentences.append(([form for form, _ in rows], [tag for _, tag in rows]))
            rows = []
    return None if "\r" in text else sentences


class _right_line:
    """A context in which an error that names a line must name the one that is not in UTF-8."""

    def __init__(self, content: Optional[bytes]) -> None:
        self._content = content

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        found = LINE_NUMBER.search(str(error)) if error is not None else None
        if found is None or self._content is None:
            return
        try:
            self._content.decode("utf-8-sig")
        except UnicodeDecodeError as wrong:
            # The decoder does not count a byte order mark.
            mark = 3 if self._content.startswith(b"\xef\xbb\xbf") else 0
            line = self._content[: wrong.start + mark].count(b"\n") + 1
            if int(found.group(1)) != line:
                raise UnclearError(f"line {line} is at fault: {error}") from error


def _write(random: Random, path: Path, content: bytes) -> Optional[bytes]:
    """Writes a text, damaged at times, and returns what reading the file must give."""
    if random.random() < 0.2:
        content = damage(random, content)
    if random.random() < 0.1:
        position = random.randrange(len(content) + 1)
        content = content[:position] + random.choice(INVALID) + content[position:]
    if random.random() < 0.1:
        content = b"\xef\xbb\xbf" + content
    if random.random() < 0.7:
        content += b"\n"
    if path.suffix != ".gz":
        path.write_bytes(content)
        return content
    compressed = gzip.compress(content)
    if random.random() < 0.5:
        compressed = damage(random, compressed)
    path.write_bytes(compressed)
    try:
        return gzip.decompress(compressed)
    except (OSError, EOFError, zlib.error):
        return None


def _lines(random: Random, check: Callable[..., None]) -> Lines:
    if check is _check_conllu:
        return _conllu_lines(random)
    if check in (_check_vocabulary, _check_word_list):
        return _word_lines(random)
    if random.random() < 0.01:
        return [b"a " * random.choice((1000, 100_000, 1_000_000))]
    return [_sentence(random).encode() for _ in range(random.choice((0, 0, 1, 2, 5, 20)))]


def _sentence(random: Random) -> str:
    separators = (*SEPARATORS, "\r", "\t", "  ", "") if random.random() < 0.5 else (" ",)
    words = [_word(random) for _ in range(random.choice((0, 1, 3, 8)))]
    line = "".join(word + random.choice((" ", *separators)) for word in words)
    return line + random.choice(("", "", "\r"))


def _word(random: Random) -> str:
    return "".join(random.choices(LETTERS, k=random.randint(1, 4)))


def _word_lines(random: Random) -> Lines:
    """Returns distinct words, some with white space inside, which no line may be split at."""
    words: Dict[str, None] = {}
    for _ in range(random.choice((0, 1, 5, 30))):
        word = _word(random)
        if random.random() < 0.2:
            word += random.choice((*SEPARATORS, "\r", " ")) + _word(random)
        words[word] = None
    if random.random() < 0.05:
        words["x" * random.choice((1000, 10**6))] = None
    given = list(words) * random.choice((1, 1, 1, 1, 1, 2))
    given += REQUIRED_WORDS if random.random() < 0.9 else REQUIRED_WORDS[:2]
    random.shuffle(given)
    if random.random() < 0.1:
        given.insert(random.randrange(len(given) + 1), random.choice(("!!!MAXTERMID", "", " ")))
    ending = "\r" if random.random() < 0.1 else ""
    return [(word + ending).encode() for word in given]


def _conllu_lines(random: Random) -> Lines:
    lines = []
    for _ in range(random.choice((0, 1, 2, 5))):
        if random.random() < 0.5:
            lines.append("# text = " + _sentence(random).replace("\r", ""))
        for number in range(1, random.choice((1, 2, 5, 9))):
            columns = [str(number), _form(random), "_", random.choice(("NOUN", "X", "X", "a b"))]
            columns += [random.choice(("_", "A=B|C=D", "0", "root")) for _ in range(2)]
            columns += [random.choice(("_", "0", "1", "-1", "x", str(10**30))), "root", "_", "_"]
            if random.random() < 0.05:
                columns[random.randrange(10)] = random.choice(
                    ("", "1-2", "1.1", "_", "\u2028", "|")
                )
            lines.append("\t".join(columns[: random.choice((10,) * 30 + (3, 9))]))
        lines += [""] * random.choice((1, 1, 1, 2, 0))
    return [line.encode() for line in lines]


def _form(random: Random) -> str:
    word = _word(random)
    return word if random.random() < 0.8 else word + random.choice(SEPARATORS) + _word(random)
