"""The dataset reader `bilm_corpus`."""

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance, Token, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.data_loaders.multiprocess_data_loader import WorkerError
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo, WorkerInfo

from allennlp_elmo_plugin import BilmCorpusReader
from tests.support.language_model_experiment import write_corpus


@pytest.fixture(name="sentences", scope="module")
def _sentences(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, List[List[str]]]:
    """Three files of different sentences: the sentences by the path of their file."""
    folder = tmp_path_factory.mktemp("corpus")
    return {
        str(folder / f"{seed}.txt"): write_corpus(folder / f"{seed}.txt", seed, 15)
        for seed in range(3)
    }


def _read(reader: BilmCorpusReader, files: Any) -> List[Instance]:
    return list(reader.read(list(files)))


def _tokens(instances: List[Instance], field: str = "forward_targets") -> "Counter[str]":
    """Counts the targets, which are all tokens but the first `<S>` of each stream."""
    return Counter(token.text for instance in instances for token in instance[field])  # type: ignore[attr-defined]


def _expected(files: Dict[str, List[List[str]]]) -> "Counter[str]":
    return Counter(token for its in files.values() for words in its for token in [*words, "</S>"])


def _without_boundaries(tokens: "Counter[str]") -> "Counter[str]":
    return Counter({token: n for token, n in tokens.items() if token not in ("<S>", "</S>")})


def test_a_target_is_the_next_input(sentences: Dict[str, Any]) -> None:
    """This holds in both directions and across windows."""
    instances = _read(BilmCorpusReader(batch_size=1, num_steps=4), sentences)
    for direction in ("forward", "backward"):
        inputs, targets = (
            [str(token) for instance in instances for token in instance[f"{direction}_{name}"]]  # type: ignore[attr-defined]
            for name in ("inputs", "targets")
        )
        assert inputs[1:] == targets[:-1]
    numbers = [instance["metadata"]["window"] for instance in instances]  # type: ignore[index]
    assert numbers == list(range(len(instances)))


@pytest.mark.parametrize("num_workers", [0, 1, 2, 4])
def test_a_loader_gets_every_sentence_once(sentences: Dict[str, Any], num_workers: int) -> None:
    """Workers share the files, or the sentences if there are fewer files than workers."""
    reader = BilmCorpusReader(batch_size=2, num_steps=5, shuffle_buffer=4)
    loader = MultiProcessDataLoader(
        reader,
        list(sentences),  # type: ignore[arg-type]
        batch_size=2,
        max_instances_in_memory=2,
        num_workers=num_workers,
        quiet=True,
    )
    vocab = Vocabulary.from_instances(BilmCorpusReader(batch_size=2).read(list(sentences)))  # type: ignore[arg-type]
    loader.index_with(vocab)
    seen: Counter[str] = Counter()
    for batch in loader:
        ids = batch["forward_targets"]["tokens"]["tokens"]
        seen.update(vocab.get_token_from_index(int(i)) for i in ids.flatten() if i)
        assert [row["stream"] % 2 for row in batch["metadata"]] == [0, 1]
    assert _without_boundaries(seen) == _without_boundaries(_expected(sentences))


@pytest.mark.parametrize("world_size", [1, 2, 5])
@pytest.mark.parametrize("num_workers", [None, 1, 2])
def test_processes_and_workers_share_the_corpus(
    sentences: Dict[str, Any], world_size: int, num_workers: Optional[int]
) -> None:
    """Together they read each sentence once in a pass, and they use different stream numbers."""
    seen: Counter[str] = Counter()
    streams = []
    for rank in range(world_size):
        for worker in range(num_workers or 1):
            reader = BilmCorpusReader(batch_size=2, num_steps=5, shuffle_buffer=4)
            reader._distributed_info = DistributedInfo(world_size, rank)
            if num_workers is not None:
                reader._set_worker_info(WorkerInfo(num_workers, worker))
            instances = _read(reader, sentences)
            seen += _tokens(instances)
            streams.append({(rank, row["metadata"]["stream"]) for row in instances})  # type: ignore[index]
    assert _without_boundaries(seen) == _without_boundaries(_expected(sentences))
    assert len(set.union(*streams)) == sum(map(len, streams))


def test_targets_are_counted_once(sentences: Dict[str, Any]) -> None:
    """The targets of the backward direction are not counted for the vocabulary."""
    reader = BilmCorpusReader(num_steps=None)
    counter: Any = {"tokens": Counter()}
    for instance in _read(reader, sentences):
        instance.count_vocab_items(counter)
    assert counter["tokens"] == _expected(sentences)


def test_each_pass_has_another_order(sentences: Dict[str, Any]) -> None:
    """Each pass shuffles files and sentences, and the same seed gives the same orders."""
    orders = []
    for seed in (1, 1, 2):
        reader = BilmCorpusReader(num_steps=None, shuffle_buffer=10, seed=seed)
        for _ in range(2):
            texts = [str(instance["forward_inputs"]) for instance in _read(reader, sentences)]
            orders.append(texts)
    assert orders[0] == orders[2] and orders[1] == orders[3]
    assert len({tuple(order) for order in orders}) == 4
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_without_a_buffer_the_order_stays(sentences: Dict[str, Any]) -> None:
    """Every pass reads the sentences in the order of the files."""
    reader = BilmCorpusReader(num_steps=None)
    for _ in range(2):
        read = [
            [str(token) for token in instance["forward_inputs"]][1:-1]  # type: ignore[attr-defined]
            for instance in _read(reader, sentences)
        ]
        assert read == sum(sentences.values(), [])


EMPTY, BLANK = "", "\n \n\t\r\n"


def _write_files(folder: Path, *texts: str) -> List[str]:
    paths = [folder / f"text_{number}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_text(text)
    return list(map(str, paths))


@pytest.mark.parametrize("num_steps", [None, 5])
@pytest.mark.parametrize("texts", [(EMPTY,), (BLANK,), (EMPTY, BLANK, EMPTY)])
def test_an_empty_corpus_is_an_error(
    tmp_path: Path, texts: Sequence[str], num_steps: Optional[int]
) -> None:
    """The error names the files."""
    files = _write_files(tmp_path, *texts)
    with pytest.raises(ConfigurationError, match="found none") as raised:
        _read(BilmCorpusReader(num_steps=num_steps, shuffle_buffer=3), files)
    assert all(file in str(raised.value) for file in files)


def test_an_empty_list_of_files_is_an_error() -> None:
    """A list without a path is no corpus."""
    with pytest.raises(ConfigurationError, match="empty list"):
        _read(BilmCorpusReader(), [])


def test_an_error_names_a_few_of_many_files(tmp_path: Path) -> None:
    """The number of the others is stated."""
    files = _write_files(tmp_path, *([EMPTY] * 25))
    with pytest.raises(ConfigurationError, match="and 15 more"):
        _read(BilmCorpusReader(), files)


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_an_empty_corpus_is_an_error_in_workers(tmp_path: Path, num_workers: int) -> None:
    """The error reaches the process that trains."""
    loader = MultiProcessDataLoader(
        BilmCorpusReader(batch_size=2),
        _write_files(tmp_path, EMPTY, BLANK),  # type: ignore[arg-type]
        batch_size=2,
        max_instances_in_memory=2,
        num_workers=num_workers,
        quiet=True,
    )
    loader.index_with(Vocabulary())
    with pytest.raises(WorkerError, match="ConfigurationError.*found none"):
        list(loader)


@pytest.mark.parametrize("texts", [("a b\n", EMPTY, EMPTY, BLANK), (BLANK + "a b\n",)])
def test_workers_may_have_no_sentence(tmp_path: Path, texts: Sequence[str]) -> None:
    """Files without text are fine where another worker of the same process has some."""
    read = []
    for worker in range(4):
        reader = BilmCorpusReader(batch_size=2, num_steps=5)
        reader._set_worker_info(WorkerInfo(4, worker))
        read.append(len(_read(reader, _write_files(tmp_path, *texts))))
    assert read == [2, 0, 0, 0]


@pytest.mark.parametrize(("num_files", "is_whole"), [(1, False), (2, True), (3, False)])
def test_processes_read_equally_much(
    sentences: Dict[str, Any], num_files: int, is_whole: bool
) -> None:
    """They read whole files only if each gets as many, and else every second sentence."""
    files = dict(list(sentences.items())[:num_files])
    counts = []
    for rank in range(2):
        reader = BilmCorpusReader(batch_size=1, num_steps=None)
        reader._distributed_info = DistributedInfo(2, rank)
        read = [[str(token) for token in row["forward_targets"]] for row in _read(reader, files)]  # type: ignore[attr-defined]
        counts.append(len(read))
        first = [[*words, "</S>"] for words in list(files.values())[rank if is_whole else 0]]
        assert read[:5] == (first[:5] if is_whole else first[rank:10:2])
    assert sum(counts) == 15 * num_files and abs(counts[0] - counts[1]) <= 1


@pytest.mark.parametrize("num_workers", [None, 2])
@pytest.mark.parametrize("texts", [("a\n" * 9, BLANK, "a\n", EMPTY), ("a\n",), ("a\nb\n",)])
def test_each_process_needs_a_sentence(
    tmp_path: Path, texts: Sequence[str], num_workers: Optional[int]
) -> None:
    """AllenNLP would end each epoch of all processes before the first step."""
    has_error = []
    for rank in range(2):
        problems = []
        for worker in range(num_workers or 1):
            reader = BilmCorpusReader(batch_size=2, num_steps=5)
            reader._distributed_info = DistributedInfo(2, rank)
            if num_workers is not None:
                reader._set_worker_info(WorkerInfo(num_workers, worker))
            try:
                _read(reader, _write_files(tmp_path, *texts))
            except ConfigurationError as error:
                assert f"process {rank} of 2" in str(error)
                problems.append(error)
        assert len(problems) in (0, num_workers or 1)
        has_error.append(bool(problems))
    # By file, processes without workers read the even and the odd ones.
    expected = {4: num_workers is None, 1: len(texts[0]) < (4 if num_workers is None else 6)}
    assert has_error == [False, expected[len(texts)]]


def test_it_reads_lazily(tmp_path: Path) -> None:
    """The first instances of a file with a damaged end can be read."""
    path = tmp_path / "text.txt"
    path.write_bytes(b"the rain falls\n" * 5000 + b"\xff\n")
    instances = BilmCorpusReader(batch_size=2, shuffle_buffer=100).read(str(path))
    assert len(list(islice(instances, 10))) == 10
    with pytest.raises(ConfigurationError, match=r"text\.txt"):
        list(instances)


def test_one_sentence_makes_an_instance() -> None:
    """`text_to_instance` makes an instance that can be indexed, as a predictor needs it."""
    reader = BilmCorpusReader()
    instance = reader.text_to_instance([Token("rain"), Token("falls")])
    reader.apply_token_indexers(instance)
    instance.index_fields(Vocabulary(tokens_to_add={"tokens": ["rain", "falls"]}))
    tensors = instance.as_tensor_dict()
    assert tensors["forward_inputs"]["elmo"]["elmo_tokens"].shape == (3, 50)  # type: ignore[index,union-attr]
    assert tensors["forward_targets"]["tokens"]["tokens"].tolist() == [2, 3, 1]  # type: ignore[index,union-attr]
    assert tensors["backward_targets"]["tokens"]["tokens"].tolist() == [3, 2, 1]  # type: ignore[index,union-attr]


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"num_steps": 0}, {"shuffle_buffer": -1}])
def test_a_number_out_of_range_is_an_error(arguments: Dict[str, int]) -> None:
    """The error names the parameter."""
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        BilmCorpusReader(**arguments)
