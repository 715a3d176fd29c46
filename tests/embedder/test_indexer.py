"""The token indexer that spells tokens."""

import copy
import json
import pickle
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader
from allennlp.data.fields import ListField, TextField

from allennlp_elmo_plugin import ElmoCharactersIndexer
from allennlp_elmo_plugin.network.spelling import ByteSpelling, base, cached_spellings
from tests.support.builtin import BuiltInIndexer
from tests.support.tagger_experiment import write_data
from tests.support.words import WORD_LIST

SENTENCE = "the cat saw the caf\u00e9"


def _indexed(indexer: TokenIndexer, *sentences: str) -> Dict[str, torch.Tensor]:
    vocab = Vocabulary(tokens_to_add={"words": ["a", "cat"]})
    batch = Batch(
        Instance({"text": TextField([Token(word) for word in sentence.split()], {"elmo": indexer})})
        for sentence in sentences
    )
    batch.index_instances(vocab)
    return batch.as_tensor_dict()["text"]["elmo"]  # type: ignore[return-value,index]


def test_a_batch_is_the_builtins() -> None:
    """Ids, padding and shape are those of AllenNLP's indexer."""
    sentences = (" ".join(WORD_LIST), "a", "")
    ours = _indexed(ElmoCharactersIndexer(), *sentences)
    theirs = _indexed(BuiltInIndexer(), *sentences)
    assert list(ours) == list(theirs) == ["elmo_tokens"]
    assert torch.equal(ours["elmo_tokens"], theirs["elmo_tokens"])


@pytest.mark.parametrize(
    "text, ids",
    [
        ("<S>", [259, 257, 260]),
        ("</S>", [259, 258, 260]),
        ("\u0100t", [259, 0xC4 + 1, 0x80 + 1, ord("t") + 1, 260]),
        ("<first>", [259, 2, 260]),
    ],
    ids=["begin", "end", "two bytes", "added"],
)
def test_a_token_has_the_ids_of_the_published_models(text: str, ids: List[int]) -> None:
    """Ids are one more than bytes, special symbols and edges, and 261 follows the right edge."""
    indexer = ElmoCharactersIndexer(tokens_to_add={"<first>": 1})
    indexed = indexer.tokens_to_indices([Token(text)], Vocabulary())
    assert indexed == {"elmo_tokens": [ids + [261] * (50 - len(ids))]}


def _tokens(indexer: TokenIndexer, sentence: str = SENTENCE) -> Any:
    tokens = [Token(word) for word in sentence.split()]
    return indexer.tokens_to_indices(tokens, Vocabulary())["elmo_tokens"]


def _padded(indexer: TokenIndexer, tokens: Any, timesteps: int) -> torch.Tensor:
    return indexer.as_padded_tensor_dict({"elmo_tokens": tokens}, {"elmo_tokens": timesteps})[
        "elmo_tokens"
    ]


def _instance(indexer: TokenIndexer) -> Instance:
    instance = Instance(
        {"text": TextField([Token(word) for word in SENTENCE.split()], {"elmo": indexer})}
    )
    instance.index_fields(Vocabulary())
    return instance


def test_a_config_gets_this_indexer_and_hotflip_knows_it() -> None:
    """A config with the built-in's name gets this indexer, which is a subclass of the built-in."""
    indexer = TokenIndexer.from_params(Params({"type": "elmo_characters"}))
    assert type(indexer) is ElmoCharactersIndexer
    assert isinstance(indexer, BuiltInIndexer)


def test_a_word_namespace_emits_word_ids() -> None:
    """Ids come from the vocabulary, 0 for padding and 1 for unknown words."""
    indexed = _indexed(ElmoCharactersIndexer(word_namespace="words"), "a cat", "cow")
    assert indexed["word_inputs"].tolist() == [[2, 3], [1, 0]]


def test_a_word_namespace_is_counted() -> None:
    """The indexer fills its namespace when the vocabulary is built."""
    counter: Dict[str, Dict[str, int]] = defaultdict(lambda: defaultdict(int))
    ElmoCharactersIndexer(word_namespace="words").count_vocab_items(Token("cat"), counter)
    ElmoCharactersIndexer().count_vocab_items(Token("cow"), counter)
    assert counter == {"words": {"cat": 1}}


@pytest.mark.parametrize("word_namespace", [None, "words"])
def test_no_tokens_give_tensors_of_length_zero(word_namespace: Any) -> None:
    """Empty sentences alone have the shape that the embedder expects."""
    indexed = _indexed(ElmoCharactersIndexer(word_namespace=word_namespace), "", "")
    assert indexed["elmo_tokens"].shape == (2, 0, 50)
    if word_namespace:
        assert indexed["word_inputs"].shape == (2, 0)


@pytest.mark.parametrize("word_namespace", [None, "words"])
def test_an_empty_list_of_tokens_is_that_of_an_empty_text(word_namespace: Any) -> None:
    """AllenNLP asks for an empty list to pad with, which has the keys of any text."""
    indexer = ElmoCharactersIndexer(word_namespace=word_namespace)
    keys = ["elmo_tokens"] if word_namespace is None else ["elmo_tokens", "word_inputs"]
    empty = indexer.get_empty_token_list()
    assert empty == indexer.tokens_to_indices([], Vocabulary()) == {key: [] for key in keys}


def _listed(indexer: TokenIndexer, *texts: List[str]) -> Dict[str, torch.Tensor]:
    """Returns the tensors of a batch whose instances each have a list of texts."""
    indexers = {"elmo": indexer}
    batch = Batch(
        Instance({"texts": ListField([TextField([Token(word)], indexers) for word in words])})
        for words in texts
    )
    batch.index_instances(Vocabulary(tokens_to_add={"words": ["Apple", "Device"]}))
    return batch.as_tensor_dict()["texts"]["elmo"]  # type: ignore[return-value,index]


def test_a_missing_text_of_a_list_is_padding() -> None:
    """A list of fewer texts is padded with texts of zeros, as with AllenNLP's indexer."""
    texts = (["Apple"], ["Screen", "Device"])
    ours = _listed(ElmoCharactersIndexer(word_namespace="words"), *texts)
    theirs = _listed(BuiltInIndexer(), *texts)
    assert ours["elmo_tokens"].shape == (2, 2, 1, 50)
    assert ours["elmo_tokens"].any(dim=-1).squeeze(-1).tolist() == [[True, False], [True, True]]
    assert torch.equal(ours["elmo_tokens"], theirs["elmo_tokens"])
    assert ours["word_inputs"].tolist() == [[[2], [0]], [[1], [3]]]


def test_a_minimum_length_is_kept() -> None:
    """`token_min_padding_length` pads short sentences."""
    indexer = ElmoCharactersIndexer(token_min_padding_length=4, word_namespace="words")
    assert {key: ids.shape[1] for key, ids in _indexed(indexer, "a").items()} == {
        "elmo_tokens": 4,
        "word_inputs": 4,
    }


def test_another_width_is_used_throughout() -> None:
    """Tokens and padding are as wide as the biLM wants them."""
    indexed = _indexed(ElmoCharactersIndexer(max_characters_per_token=20), "a cat", "")
    assert indexed["elmo_tokens"].shape == (2, 2, 20)


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"tokens_to_add": {"[MASK]": 261}}, "got 261 for '\\[MASK\\]'"),
        ({"max_characters_per_token": 2}, "at least 3, got 2"),
    ],
)
def test_impossible_parameters_are_refused(params: Dict[str, Any], expected: str) -> None:
    """Parameters that no biLM could read are refused when the indexer is built."""
    with pytest.raises(ConfigurationError, match=expected):
        ElmoCharactersIndexer(**params)


USES: Dict[str, Callable[[Any], Any]] = {
    "list": lambda tokens: [list(row) for row in tokens],
    "types of tokens": lambda tokens: (isinstance(tokens, list), {type(row) for row in tokens}),
    "types of ids": lambda tokens: {type(number) for row in tokens for number in row},
    "json": json.dumps,
    "compare": lambda tokens: (tokens[0] == tokens[3], tokens[0] == tokens[1]),
    "add": lambda tokens: (tokens + [[1]], tokens[0] + [1]),
    "slice": lambda tokens: (tokens[1:3], tokens[0][:5]),
    "set": lambda tokens: (tokens[0].__setitem__(1, 5), tokens),
    "copy": copy.deepcopy,
    "pickle": lambda tokens: pickle.loads(pickle.dumps(tokens)),
    "torch": lambda tokens: torch.LongTensor(tokens).tolist(),
    "numpy": lambda tokens: numpy.array(tokens).tolist(),
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_tokens_are_lists_as_the_builtins(use: Callable[[Any], Any]) -> None:
    """Whatever is done to the tokens gives what it gives with AllenNLP's indexer."""
    ours, theirs = _tokens(ElmoCharactersIndexer()), _tokens(BuiltInIndexer())
    assert ours == theirs and theirs == ours
    assert use(ours) == use(theirs)
    assert ours == theirs


def test_a_changed_token_changes_no_other() -> None:
    """A changed token changes neither the same word beside it nor the word in other sentences."""
    indexer = ElmoCharactersIndexer()
    theirs = _tokens(BuiltInIndexer())
    before, changed = _tokens(indexer), _tokens(indexer)
    changed[0][1] = 5
    assert changed[0][1] == 5
    assert changed[1:] == theirs[1:]
    assert before == theirs
    assert _tokens(indexer) == theirs
    assert _padded(indexer, before, 5).tolist() == theirs


@pytest.mark.parametrize("timesteps", [0, 3, 5, 7])
@pytest.mark.parametrize("is_changed", [False, True])
def test_padding_and_cutting_are_the_builtins(timesteps: int, is_changed: bool) -> None:
    """Tokens are padded with zeros or cut as by AllenNLP's indexer, also after a change."""
    padded = []
    for indexer in (ElmoCharactersIndexer(), BuiltInIndexer()):
        tokens = _tokens(indexer)
        if is_changed:
            tokens[1][2] = 7
            tokens.reverse()
        padded.append(_padded(indexer, tokens, timesteps))
    ours, theirs = padded
    assert ours.dtype == torch.int64 and ours.shape == (timesteps, 50)
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        numpy.array,
        lambda rows: [tuple(row) for row in rows],
        lambda rows: [numpy.array(row) for row in rows],
        lambda rows: [numpy.array(row, dtype=numpy.int32) for row in rows],
    ],
    ids=["lists", "tuple", "array", "tuples", "arrays", "arrays of int32"],
)
def test_tokens_from_elsewhere_are_padded(make: Callable[[Any], Any]) -> None:
    """Tokens that another program made are padded as the indexer's own."""
    indexer = ElmoCharactersIndexer()
    made = make(_tokens(BuiltInIndexer()))
    assert torch.equal(_padded(indexer, made, 7), _padded(indexer, _tokens(indexer), 7))


def test_a_padded_tensor_is_independent() -> None:
    """A changed tensor changes neither the tokens nor later tensors."""
    indexer = ElmoCharactersIndexer()
    tokens = _tokens(indexer)
    _padded(indexer, tokens, 5).fill_(7)
    assert tokens == _tokens(BuiltInIndexer())
    assert _padded(indexer, tokens, 5).tolist() == tokens


def test_tokens_of_another_width_keep_it() -> None:
    """Tokens are padded in their own width, so the embedder can say which one it expects."""
    narrow = _tokens(ElmoCharactersIndexer(max_characters_per_token=20))
    assert _padded(ElmoCharactersIndexer(), narrow, 7).shape == (7, 20)
    assert _padded(ElmoCharactersIndexer(), [[5]], 2).tolist() == [[5], [0]]


def test_tokens_of_different_widths_are_refused() -> None:
    """A token that lost an id is an error, as with AllenNLP's indexer."""
    for indexer in (ElmoCharactersIndexer(), BuiltInIndexer()):
        tokens = _tokens(indexer)
        tokens[1].pop()
        with pytest.raises(ValueError):
            _padded(indexer, tokens, 5)


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        Instance.duplicate,
        lambda instance: pickle.loads(pickle.dumps(instance)),
    ],
    ids=["copy", "deepcopy", "duplicate", "pickle"],
)
def test_a_copied_instance_is_equal(duplicate: Callable[[Instance], Instance]) -> None:
    """A copy of an indexed instance equals it and gives the same tensors."""
    instance = _instance(ElmoCharactersIndexer())
    copied = duplicate(instance)
    assert copied["text"] == instance["text"] and instance["text"] == copied["text"]
    tensors = [
        one.as_tensor_dict()["text"]["elmo"]["elmo_tokens"]  # type: ignore[index]
        for one in (instance, copied)
    ]
    assert torch.equal(*tensors)


def test_copies_of_an_instance_are_independent() -> None:
    """A change of a copy's tokens does not change the original."""
    instance = _instance(ElmoCharactersIndexer())
    copied = instance.duplicate()
    copied["text"]._indexed_tokens["elmo"]["elmo_tokens"][0][1] = 5  # type: ignore[attr-defined]
    assert copied["text"] != instance["text"]
    assert instance["text"] == _instance(ElmoCharactersIndexer())["text"]


def test_an_indexer_that_was_used_equals_a_new_one() -> None:
    """The cache of spelled words is part neither of a comparison nor of a pickle."""
    indexer, new = ElmoCharactersIndexer(), ElmoCharactersIndexer()
    unused = pickle.dumps(indexer)
    _tokens(indexer)
    assert indexer == new
    assert pickle.dumps(indexer) == unused


@pytest.mark.parametrize("in_memory", [None, 4])
def test_worker_processes_give_the_same(tmp_path: Path, in_memory: Any) -> None:
    """A data loader with two workers gives the instances and batches of one without."""
    path = write_data(tmp_path / "data.txt", seed=3, size=12)
    texts, batches = [], []
    for workers in (0, 2):
        reader = SequenceTaggingDatasetReader(token_indexers={"elmo": ElmoCharactersIndexer()})
        loader = MultiProcessDataLoader(
            reader,
            path,
            batch_size=1,
            num_workers=workers,
            max_instances_in_memory=in_memory if workers else None,
            quiet=True,
        )
        loader.index_with(Vocabulary.from_instances(reader.read(path)))
        texts.append([instance["tokens"] for instance in loader.iter_instances()])
        batches.append([batch["tokens"]["elmo"]["elmo_tokens"].tolist() for batch in loader])
    assert len(texts[0]) == len(texts[1]) == 12
    assert all(text in texts[1] for text in texts[0])
    assert sorted(batches[0]) == sorted(batches[1])


def test_hotflip_makes_its_tensor_without_a_warning() -> None:
    """A tensor of tokens from several sentences is made from lists, as HotFlip does."""
    tensors = []
    for indexer in (ElmoCharactersIndexer(), BuiltInIndexer()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = [_tokens(indexer, word)[0] for word in SENTENCE.split()]
            tensors.append(torch.LongTensor(rows))
    assert torch.equal(*tensors)


def test_more_words_than_the_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache stays as small as its limit, and the ids stay right."""
    monkeypatch.setattr(base, "CACHED_SPELLINGS", 3)
    cached_spellings.cache_clear()
    sentence = " ".join(f"{number}" for number in range(10))
    assert _tokens(ElmoCharactersIndexer(), sentence) == _tokens(BuiltInIndexer(), sentence)
    assert len(cached_spellings(ByteSpelling())) <= 3


def test_indexers_with_other_symbols_share_no_words() -> None:
    """A word has the symbol that its own indexer gives it."""
    for symbols in (None, {"cat": 3}, {"cat": 4}, {"the": 3}):
        ours = ElmoCharactersIndexer(tokens_to_add=symbols)
        theirs = BuiltInIndexer(tokens_to_add=symbols)
        assert _tokens(ours) == _tokens(theirs)


def test_threads_index_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that share a small cache get the right ids, and change only their own."""
    monkeypatch.setattr(base, "CACHED_SPELLINGS", 4)
    cached_spellings.cache_clear()
    indexer = ElmoCharactersIndexer()
    sentences = [" ".join(WORD_LIST[start : start + 4]) for start in range(8)]
    expected = [_tokens(BuiltInIndexer(), sentence) for sentence in sentences]

    def work(number: int) -> List[bool]:
        right = []
        for turn in range(200):
            index = (number + turn) % len(sentences)
            tokens = _tokens(indexer, sentences[index])
            timesteps = len(expected[index])
            right.append(_padded(indexer, tokens, timesteps).tolist() == expected[index])
            tokens[0][1] = 5
        return right

    with ThreadPoolExecutor(4) as pool:
        assert all(all(right) for right in pool.map(work, range(4)))
