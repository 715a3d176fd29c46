"""The run of a distributed extraction, beside the same one in one process."""

import gzip
import json
import os
import shutil
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed import driver
from allennlp_elmo_plugin.extraction.distributed.driver import (
    DistributedExtraction,
    DistributedPlan,
    DistributedResult,
)
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.reductions import (
    AllVectors,
    Reduction,
    TargetVectors,
    TypeVectors,
)
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.io.staging import lock_file
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.kernels import CAPABILITIES
from tests.support.s3_server import s3_bucket
from tests.support.serial_workers import CLUSTER, SIZES, SerialWorkers, serial_workers

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")

LINES = [
    *("The rain falls .", "a", "caf\u00e9 \u96e8 rain", "rain rain rain rain", "a", "b c d e f g"),
    *("the end of it", "rain", "x y", "a b a b a", "falls .", "no more \u96e8"),
]
TEXT = "\n".join(LINES) + "\n"
Row = Tuple[List[str], numpy.ndarray]

SHARD_BYTES = 40
SETTINGS = "settings.json"
WORDS = ["rain", "a", "nowhere", "\u96e8"]


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("elmo")
    write_elmo_files(folder, elmo_options(**SIZES))
    return str(folder)


@pytest.fixture(name="workers")
def _workers() -> Iterator[SerialWorkers]:
    with serial_workers() as workers:
        yield workers


class Run(NamedTuple):
    """
    Extractions with one model.

    # Parameters

    extractor : `Dict[str, Any]`
        Arguments of `ElmoExtractor.load`.
    """

    extractor: Dict[str, Any]

    def __call__(
        self,
        source: Any,
        reduction: Reduction,
        options: Optional[InputOptions] = None,
        tell: Optional[Callable[[DistributedPlan], None]] = None,
        **changes: Any,
    ) -> DistributedResult:
        """Runs a distributed extraction."""
        extraction = DistributedExtraction(
            str(source),
            reduction,
            {**self.extractor, **changes},
            options or InputOptions(),
            CLUSTER,
            SHARD_BYTES,
        )
        return extraction.run(tell or (lambda plan: None))

    def alone(self, source: Path, task: ExtractionTask, **options: Any) -> Path:
        """Runs an extraction in one process, and returns the path of its output."""
        extractor = ElmoExtractor.load(**self.extractor)
        job = ExtractionJob(SentenceFile(source, **options), extractor, task)
        job.run(job.plan())
        return task.output


@pytest.fixture(name="run")
def _run(model: str) -> Run:
    return Run({"model": model, "initial_state": "zero", "layers": "top", "max_tokens": 16})


def _write(path: Path, text: str = TEXT) -> Path:
    """Writes a text, which is compressed if its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode("utf-8")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def _rows(location: str) -> Dict[str, Row]:
    """Returns the tokens and the vectors of each row of an output, in its order, by the ids."""
    store = Store(location)
    rows: Dict[str, Row] = {}
    for name in store.names():
        if name.endswith(".parquet") and not name.startswith("_"):
            with store.open(name) as file:
                found = _rows_of(parquet.read_table(file))
            assert not set(found) & set(rows)
            rows.update(found)
    return rows


def _rows_of(table: Any) -> Dict[str, Row]:
    return {
        row["id"]: (row["tokens"], numpy.array(row["vectors"], dtype="float32"))
        for row in table.to_pylist()
    }


def _expected(run: Run, source: Path, prefix: str = "", **options: Any) -> Dict[str, Row]:
    """Returns the rows that one process writes, with a prefix to their numbers."""
    with TemporaryDirectory() as folder:
        output = run.alone(source, ExtractionTask(Path(folder) / "alone.parquet"), **options)
        return {prefix + key: row for key, row in _rows_of(parquet.read_table(output)).items()}


def _assert_same(found: Dict[str, Row], expected: Dict[str, Row]) -> None:
    """Compares ids in their order, tokens and vectors."""
    assert list(found) == list(expected)
    for key, (tokens, vectors) in expected.items():
        assert found[key][0] == tokens
        assert _is_same(found[key][1], vectors)


def _is_same(found: numpy.ndarray, expected: numpy.ndarray) -> bool:
    """Returns `True` if arrays have the same bits, or nearly so without the kernels."""
    # Without them, the size of a batch may change the last digits.
    if CAPABILITIES:
        return found.dtype == expected.dtype and numpy.array_equal(found, expected)
    return found.shape == expected.shape and numpy.allclose(found, expected, atol=1e-3)


# Rows equal those of one process.


def test_shards_of_a_file_are_its_rows(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Keys, tokens and vectors are the same to the bit, and the plan counts them."""
    source = _write(tmp_path / "in.txt")
    plans: List[DistributedPlan] = []
    result = run(source, AllVectors(str(tmp_path / "v")), tell=plans.append)
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source))
    num_tokens = sum(len(line.split()) for line in LINES)
    assert plans == [DistributedPlan(1, len(workers.extracted), len(LINES), num_tokens, 6)]
    assert len(workers.extracted) > 2
    assert result.paths == [str(tmp_path / "v")] and result.failures == []
    assert [receipt.number for receipt in result.receipts] == list(range(len(workers.extracted)))
    assert sum(receipt.num_tokens for receipt in result.receipts) == num_tokens
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "v"]
    hidden = [name for name in os.listdir(tmp_path / "v") if not name.startswith("part-")]
    assert sorted(hidden) == ["_settings.json", "_shards.parquet"]


def test_many_files_have_prefixes(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Files of equal names in different folders, compressed ones and odd names are told apart."""
    names = ["a/x.txt", "b/x.txt", "b/y.txt.gz", "b/z #1 [?]*;%41.txt", "\u96e8.txt"]
    if os.name == "nt":
        names = [name for name in names if "?" not in name]
    expected: Dict[str, Row] = {}
    for number, name in enumerate(names):
        text = "".join(f"{line}\n" for line in LINES[number:])
        _write(tmp_path / "corpus" / name, text)
        alone = _write(tmp_path / f"{number}.txt", text)
        expected.update(_expected(run, alone, prefix=f"{name}:"))
    run(tmp_path / "corpus", AllVectors(str(tmp_path / "v")))
    _assert_same(_rows(str(tmp_path / "v")), expected)


def test_a_glob_finds_files(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Only those that match are read."""
    for name in ("c/a.txt", "c/b.txt", "c/b.md"):
        _write(tmp_path / name)
    run(tmp_path / "c" / "*.txt", AllVectors(str(tmp_path / "v")))
    keys = list(_rows(str(tmp_path / "v")))
    assert keys == [f"{name}:{number}" for name in ("a.txt", "b.txt") for number in range(12)]


@pytest.mark.parametrize(
    "name, text, options",
    [
        (
            "a.jsonl",
            "".join(
                json.dumps({"id": f"s {number}", "sentence": line}) + "\n"
                for number, line in enumerate(LINES)
            ),
            {},
        ),
        (
            "a.conllu",
            "".join(
                "".join(f"{at}\t{token}{chr(9)}_\n" for at, token in enumerate(line.split(), 1))
                + "\n"
                for line in LINES
            ),
            {},
        ),
        ("a.fasta", "".join(f">p{number} x\nMKV\nLL\n" for number in range(12)), {}),
        ("a.txt.gz", TEXT, {}),
        ("raw.txt", "It rains. No, it doesn't!\n\n" * 6, {"language": "en"}),
        ("blank.txt", "a b\n\n" * 12, {"blank_lines": "empty"}),
        ("keyed.txt", "".join(f"a b {n}\n" for n in range(20)), {"keys": "sentences"}),
    ],
)
def test_each_format_gives_the_rows_of_one_process(
    run: Run, workers: SerialWorkers, tmp_path: Path, name: str, text: str, options: Dict[str, Any]
) -> None:
    """Ids of the file, numbers and sentences are keys as in one process."""
    source = _write(tmp_path / name, text)
    run(source, AllVectors(str(tmp_path / "v")), InputOptions(**options))
    assert len(workers.extracted) > 1 or name.endswith(".gz")
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source, **options))


@pytest.mark.parametrize("layers, dtype", [("all", "float32"), ("average", "float16")])
def test_targets_are_those_of_one_process(
    run: Run, workers: SerialWorkers, tmp_path: Path, layers: str, dtype: str
) -> None:
    """The two files hold the same places and vectors."""
    run = Run({**run.extractor, "layers": layers})
    source = _write(tmp_path / "in.txt")
    result = run(source, TargetVectors(str(tmp_path / "uses.npz"), WORDS, dtype))
    alone = run.alone(source, TargetsTask(WORDS, tmp_path / "alone.npz", dtype))
    assert sorted(result.paths) == [str(tmp_path / "uses.json"), str(tmp_path / "uses.npz")]
    _assert_same_targets(Store(str(tmp_path)), alone)
    assert not (tmp_path / "uses.npz.partial").exists()


def _assert_same_targets(store: Store, alone: Path) -> None:
    assert store.read("uses.json") == alone.with_suffix(".json").read_bytes()
    with store.open("uses.npz") as file, numpy.load(file) as found, numpy.load(alone) as expected:
        assert list(found) == list(expected) == WORDS
        assert all(_is_same(found[word], expected[word]) for word in WORDS)


@pytest.mark.parametrize("ending", [".txt", ".bin"])
def test_types_are_those_of_one_process(
    run: Run, workers: SerialWorkers, tmp_path: Path, ending: str
) -> None:
    """The words are those that are frequent in all files, and their vectors agree to rounding."""
    for name in ("a.txt", "b.txt"):
        _write(tmp_path / "corpus" / name)
    both = _write(tmp_path / "both.txt", TEXT + TEXT)
    run(tmp_path / "corpus", TypeVectors(str(tmp_path / f"types{ending}"), 5))
    alone = run.alone(both, WordTypesTask(5, tmp_path / f"alone{ending}"))
    found = (tmp_path / f"types{ending}").read_bytes()
    if ending == ".bin":
        assert len(found) == len(alone.read_bytes())
        return
    lines, expected = found.decode().splitlines(), alone.read_text("utf-8").splitlines()
    assert len(lines) == 6
    for line, other in zip(lines, expected):
        (word, *numbers), (other_word, *other_numbers) = line.split(), other.split()
        assert word == other_word
        assert numpy.allclose([*map(float, numbers)], [*map(float, other_numbers)], atol=1e-6)


# No sentences.


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_input_without_sentences_gives_an_empty_output(
    run: Run, workers: SerialWorkers, tmp_path: Path, text: str
) -> None:
    """An empty part of a corpus is no error, as in one process."""
    source = _write(tmp_path / "in.txt", text)
    options = InputOptions(language="en")
    result = run(source, AllVectors(str(tmp_path / "v")), options)
    assert result.failures == [] and _rows(str(tmp_path / "v")) == {}
    assert run(source, AllVectors(str(tmp_path / "v")), options).receipts == result.receipts
    run(source, TargetVectors(str(tmp_path / "uses.npz"), WORDS), options)
    with numpy.load(tmp_path / "uses.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == dict.fromkeys(WORDS, (0, 32))
    run(source, TypeVectors(str(tmp_path / "types.txt"), 3), options)
    assert (tmp_path / "types.txt").read_text() == "0 32\n"
    assert sorted(path.name for path in tmp_path.glob("*.partial")) == []


# Running again.


def test_a_finished_output_is_left_as_it_is(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """The same extraction returns the receipts at once, without Ray."""
    source = _write(tmp_path / "in.txt")
    first = run(source, AllVectors(str(tmp_path / "v")))
    again = run(source, AllVectors(str(tmp_path / "v")))
    assert again.receipts == first.receipts and again.paths == first.paths
    assert workers.num_sessions == 1 and len(workers.extracted) == len(first.receipts)


def test_a_finished_output_is_for_its_input_and_options(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """Others are refused, and the vectors stay."""
    source = _write(tmp_path / "in.txt")
    run(source, AllVectors(str(tmp_path / "v")))
    names = os.listdir(tmp_path / "v")
    with pytest.raises(ConfigurationError, match="dtype was 'float32' and is 'float16'"):
        run(source, AllVectors(str(tmp_path / "v"), "float16"))
    _write(source, TEXT + "more\n")
    with pytest.raises(ConfigurationError, match="vectors of other files, or of other versions"):
        run(source, AllVectors(str(tmp_path / "v")))
    assert os.listdir(tmp_path / "v") == names
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "v"]


def test_interrupted_work_goes_on(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Finished shards are not run again, nothing is counted again, and the output is the same."""
    source = _write(tmp_path / "in.txt")
    workers.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(source, AllVectors(str(tmp_path / "v")))
    first, counted = list(workers.extracted), list(workers.counted)
    workers.stops_after = -1
    result = run(source, AllVectors(str(tmp_path / "v")))
    assert workers.counted == counted
    assert len(set(workers.extracted)) == len(workers.extracted) == len(result.receipts)
    assert workers.extracted[:2] == first
    assert sum(receipt.started < result.began for receipt in result.receipts) == 2
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source))
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "v"]


def test_other_options_cannot_go_on(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Each difference is named, before Ray is started, and the work stays."""
    source = _write(tmp_path / "in.txt")
    workers.stops_after = 1
    with pytest.raises(KeyboardInterrupt):
        run(source, AllVectors(str(tmp_path / "v")))
    with pytest.raises(ConfigurationError) as error:
        options = InputOptions(keys="numbers")
        run(source, AllVectors(str(tmp_path / "v"), "float16"), options, layers=0)
    for difference in ("dtype was 'float32' and is 'float16'", "keys was 'ids' and is 'numbers'"):
        assert difference in str(error.value)
    assert workers.num_sessions == 1
    workers.stops_after = -1
    run(source, AllVectors(str(tmp_path / "v")))
    assert len(set(workers.extracted)) == len(workers.extracted)


def test_a_changed_file_is_run_anew(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Parts of its old version are removed, new files are added, and the rest is not run again."""
    folder = tmp_path / "corpus"
    for name in ("a.txt", "b.txt", "c.txt"):
        _write(folder / name)
    workers.stops_after = 6
    with pytest.raises(KeyboardInterrupt):
        run(folder, AllVectors(str(tmp_path / "v")))
    first = list(workers.extracted)
    assert {os.path.basename(shard.location) for shard in first} == {"b.txt", "c.txt"}
    _write(folder / "c.txt", "now this\n")
    _write(folder / "d.txt", "and that\n")
    workers.stops_after = -1
    run(folder, AllVectors(str(tmp_path / "v")))
    expected: Dict[str, Row] = {}
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        expected.update(_expected(run, folder / name, prefix=f"{name}:"))
    _assert_same(_rows(str(tmp_path / "v")), expected)
    kept = {shard for shard in first if shard.location.endswith("b.txt")}
    assert not kept & set(workers.extracted[6:])


def test_a_removed_file_is_removed_from_the_output(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """Its parts go, also where they were finished."""
    for name in ("a.txt", "b.txt"):
        _write(tmp_path / "corpus" / name)
    workers.stops_after = 5
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "corpus", AllVectors(str(tmp_path / "v")))
    os.remove(tmp_path / "corpus" / "b.txt")
    workers.stops_after = -1
    run(tmp_path / "corpus", AllVectors(str(tmp_path / "v")))
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, tmp_path / "corpus" / "a.txt"))


def test_a_second_file_brings_prefixes(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Parts whose keys had none are run anew."""
    old = _write(tmp_path / "corpus" / "b.txt")
    workers.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "corpus", AllVectors(str(tmp_path / "v")))
    new = _write(tmp_path / "corpus" / "a.txt", "falls\n")
    workers.stops_after = -1
    run(tmp_path / "corpus", AllVectors(str(tmp_path / "v")))
    expected = _expected(run, new, prefix="a.txt:")
    expected.update(_expected(run, old, prefix="b.txt:"))
    _assert_same(_rows(str(tmp_path / "v")), expected)


def test_targets_keep_the_order_of_the_text(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """A new file in front of finished ones comes first."""
    for name in ("b.txt", "c.txt"):
        _write(tmp_path / "corpus" / name, "rain\na rain\n")
    reduction = TargetVectors(str(tmp_path / "uses.npz"), ["rain"])
    workers.stops_after = 1
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "corpus", reduction)
    _write(tmp_path / "corpus" / "a.txt", TEXT)
    workers.stops_after = -1
    run(tmp_path / "corpus", reduction)
    places = json.loads((tmp_path / "uses.json").read_text())["rain"]
    of_new = [[f"a.txt:{n}", at] for n, at in ((0, 1), (2, 2), *((3, m) for m in range(4)), (7, 0))]
    of_old = [[f"{name}.txt:{n}", n] for name in "bc" for n in range(2)]
    assert places == of_new + of_old


def test_work_without_its_parts_is_refused(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """Their receipts alone would give an output with gaps."""
    source = _write(tmp_path / "in.txt")
    workers.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(source, AllVectors(str(tmp_path / "v")))
    shutil.rmtree(tmp_path / "v")
    with pytest.raises(ConfigurationError, match="2 are missing.*delete '.*v.partial'"):
        run(source, AllVectors(str(tmp_path / "v")))
    shutil.rmtree(tmp_path / "v.partial")
    workers.stops_after = -1
    run(source, AllVectors(str(tmp_path / "v")))
    (tmp_path / "v" / os.path.basename(sorted((tmp_path / "v").glob("part*"))[0])).unlink()
    with pytest.raises(ConfigurationError, match="1 are missing"):
        run(source, AllVectors(str(tmp_path / "v")))


@pytest.mark.parametrize("change", ["changed", "new", "gone"])
def test_types_refuse_another_input(
    run: Run, workers: SerialWorkers, tmp_path: Path, change: str
) -> None:
    """The most frequent words of the whole input were chosen before the first vector."""
    for name in ("a.txt", "b.txt"):
        _write(tmp_path / "corpus" / name)
    reduction = TypeVectors(str(tmp_path / "types.txt"), 3)
    workers.stops_after = 1
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "corpus", reduction)
    workers.stops_after = -1
    if change == "gone":
        os.remove(tmp_path / "corpus" / "b.txt")
    else:
        _write(tmp_path / "corpus" / ("b.txt" if change == "changed" else "c.txt"), "falls\n")
    with pytest.raises(ConfigurationError, match="most frequent words differ.*Delete the folder"):
        run(tmp_path / "corpus", reduction)


def test_types_with_a_faulty_shard_can_run_again(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """The same input gives the same words, and the same failure."""
    source = _write(tmp_path / "in.txt", TEXT + "\nlast\n")
    reduction = TypeVectors(str(tmp_path / "types.txt"), 3)
    first, second = run(source, reduction), run(source, reduction)
    assert len(first.failures) == 1 and second.failures == first.failures
    assert len(set(workers.extracted)) == len(workers.extracted)


def test_a_kill_before_the_counts_are_kept_costs_the_counts(
    run: Run, workers: SerialWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chosen words are kept before them, and stay the same."""
    source = _write(tmp_path / "in.txt")
    reduction = TypeVectors(str(tmp_path / "types.txt"), 3)
    write = Store.write

    def killed_at_counts(store: Store, name: str, content: bytes) -> None:
        if name == "counts.jsonl":
            raise KeyboardInterrupt
        write(store, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", killed_at_counts)
        with pytest.raises(KeyboardInterrupt):
            run(source, reduction)
    run(source, reduction)
    assert (tmp_path / "types.txt").read_text("utf-8").startswith("3 32\n")


def test_a_kill_while_the_work_is_removed_leaves_nothing_that_counts(
    run: Run, workers: SerialWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts that are left belong to no run with other options."""
    source = _write(tmp_path / "in.txt")
    remove = Store.remove

    def killed_at_end(store: Store, name: str = "") -> None:
        if not name:
            raise KeyboardInterrupt
        remove(store, name)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "remove", killed_at_end)
        with pytest.raises(KeyboardInterrupt):
            run(source, TargetVectors(str(tmp_path / "uses.npz"), ["rain"]))
    assert (tmp_path / "uses.npz.partial" / "receipts").is_dir()
    run(source, TargetVectors(str(tmp_path / "uses.npz"), ["falls"]))
    with numpy.load(tmp_path / "uses.npz") as arrays:
        assert {name: len(arrays[name]) for name in arrays} == {"falls": 2}
    assert not (tmp_path / "uses.npz.partial").exists()


# Shards that fail.


def test_a_faulty_shard_is_set_aside_and_mended(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """The others are there with their numbers; when its file is mended, the next run completes."""
    folder = tmp_path / "corpus"
    _write(folder / "a.txt")
    lines = [*LINES[:6], "", *LINES[6:]]
    bad = _write(folder / "b.txt", "\n".join(lines) + "\n")
    result = run(folder, AllVectors(str(tmp_path / "v")))
    (failure,) = result.failures
    assert failure.location == str(bad) and "(counted from 0): " in failure.error
    assert result.report == str(tmp_path / "v.partial" / "failures.jsonl")
    reported = Path(result.report).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in reported] == [failure._asdict()]
    keys = set(_rows(str(tmp_path / "v")))
    assert {f"a.txt:{number}" for number in range(12)} < keys
    assert "b.txt:0" in keys and "b.txt:12" in keys and "b.txt:6" not in keys
    first = len(workers.extracted)
    lines[6] = "mended"
    _write(bad, "\n".join(lines) + "\n")
    result = run(folder, AllVectors(str(tmp_path / "v")))
    assert result.failures == []
    assert all(shard.location == str(bad) for shard in workers.extracted[first:])
    expected = _expected(run, folder / "a.txt", prefix="a.txt:")
    expected.update(_expected(run, bad, prefix="b.txt:"))
    _assert_same(_rows(str(tmp_path / "v")), expected)
    assert not (tmp_path / "v.partial").exists()


def test_a_shard_that_fails_at_the_model_is_tried_by_the_next_run(
    run: Run, workers: SerialWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is that of the worker, and the next run runs it alone."""
    source = _write(tmp_path / "in.txt")
    embed = ElmoExtractor.run_window

    def run_window(self: ElmoExtractor, window: Any) -> Any:
        if any("x" in tokens for tokens in window):
            raise RuntimeError("x is too much")
        return embed(self, window)

    with monkeypatch.context() as patched:
        patched.setattr(ElmoExtractor, "run_window", run_window)
        result = run(source, AllVectors(str(tmp_path / "v")))
    (failure,) = result.failures
    assert "x is too much" in failure.error and "Traceback" in failure.error
    first = len(workers.extracted)
    assert run(source, AllVectors(str(tmp_path / "v"))).failures == []
    assert [shard.number for shard in workers.extracted[first:]] == [failure.number]
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source))


def test_a_lost_shard_is_told_and_run_by_the_next_run(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """Its worker died, so nothing but its absence is known."""
    source = _write(tmp_path / "in.txt")
    workers.lost = {1}
    result = run(source, AllVectors(str(tmp_path / "v")))
    (failure,) = result.failures
    assert failure.number == 1 and "next run tries it again" in failure.error
    workers.lost = set()
    assert run(source, AllVectors(str(tmp_path / "v"))).failures == []
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source))


def test_an_input_with_faults_alone_is_set_aside(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """No worker is started for nothing, and the output is empty."""
    source = _write(tmp_path / "in.txt", "\n")
    result = run(source, AllVectors(str(tmp_path / "v")))
    assert len(result.failures) == 1 and result.receipts == []
    assert _rows(str(tmp_path / "v")) == {} and workers.extracted == []


# Refusals, after which nothing is left behind.


def test_a_carried_state_is_refused(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """Its sentences depend on each other."""
    source = _write(tmp_path / "in.txt")
    with pytest.raises(ConfigurationError, match="depend on their sentence alone"):
        run(source, AllVectors(str(tmp_path / "v")), initial_state="carry")
    assert os.listdir(tmp_path) == ["in.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_second_driver_is_refused(run: Run, workers: SerialWorkers, tmp_path: Path) -> None:
    """The lock is that of the work's folder, and the refused one leaves it."""
    source = _write(tmp_path / "in.txt")
    (tmp_path / "v.partial").mkdir()
    lock = lock_file(tmp_path / "v.partial" / ".lock")
    assert lock is not None
    with pytest.raises(ConfigurationError, match=r"Another process is at the work in '.*v.partial"):
        run(source, AllVectors(str(tmp_path / "v")))
    os.close(lock)
    assert run(source, AllVectors(str(tmp_path / "v"))).failures == []


def test_a_cluster_that_fails_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run may have other options."""
    source = _write(tmp_path / "in.txt")
    with serial_workers():
        monkeypatch.setattr(driver, "ray_session", _no_session)
        with pytest.raises(ConfigurationError, match="no cluster"):
            run(source, AllVectors(str(tmp_path / "v")))
    assert os.listdir(tmp_path) == ["in.txt"]


def _no_session(cluster: Any) -> Any:
    raise ConfigurationError("no cluster")


@pytest.mark.parametrize("source, output", [("c", "c/v"), ("c", "c"), ("c/../c", "c/d/v")])
def test_an_output_in_the_input_is_refused(
    run: Run, workers: SerialWorkers, tmp_path: Path, source: str, output: str
) -> None:
    """The next run would take its parts for texts."""
    _write(tmp_path / "c" / "d" / "in.txt")
    with pytest.raises(ConfigurationError, match="outside of the input"):
        run(tmp_path / source, AllVectors(str(tmp_path / output)))
    assert os.listdir(tmp_path / "c") == ["d"]


def test_an_input_that_is_a_part_of_the_output_is_refused(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """A glob may find the output of an earlier run, or the places of targets."""
    _write(tmp_path / "in.txt")
    glob = tmp_path / "*.txt"
    run(glob, TypeVectors(str(tmp_path / "types.txt"), 3))
    with pytest.raises(ConfigurationError, match="types.txt' is a part of the output"):
        run(glob, TypeVectors(str(tmp_path / "types.txt"), 3))
    places = _write(tmp_path / "uses.json", '{"tokens": ["a"]}\n')
    with pytest.raises(ConfigurationError, match="uses.json"):
        run(places, TargetVectors(str(tmp_path / "uses.npz"), ["rain"]))
    assert places.read_text() == '{"tokens": ["a"]}\n'


def test_a_folder_of_something_else_is_refused(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """Readers would take its files for vectors; leftovers of a run and hidden files may stay."""
    source = _write(tmp_path / "in.txt")
    _write(tmp_path / "v" / "other.parquet", "x")
    with pytest.raises(ConfigurationError, match="holds 'other.parquet'"):
        run(source, AllVectors(str(tmp_path / "v")))
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "v"]
    os.rename(tmp_path / "v" / "other.parquet", tmp_path / "v" / "_other")
    _write(tmp_path / "v" / "part-000099-0123abcd.parquet", "x")
    run(source, AllVectors(str(tmp_path / "v")))
    _assert_same(_rows(str(tmp_path / "v")), _expected(run, source))
    assert (tmp_path / "v" / "_other").exists()


def test_work_of_one_process_is_not_taken_over(
    run: Run, workers: SerialWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says how to go on with it."""
    source = _write(tmp_path / "in.txt")
    with monkeypatch.context() as patched:
        patched.setattr(ElmoExtractor, "run_window", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.alone(source, TargetsTask(["rain"], tmp_path / "uses.npz"))
    with pytest.raises(ConfigurationError, match="with --resume and without --ray"):
        run(source, TargetVectors(str(tmp_path / "uses.npz"), ["rain"]))
    run_alone = ExtractionJob(
        SentenceFile(source),
        ElmoExtractor.load(**run.extractor),
        TargetsTask(["rain"], tmp_path / "uses.npz"),
        resumes=True,
    )
    run_alone.run(run_alone.plan())
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "uses.json", "uses.npz"]


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_one_process_does_not_remove_the_work(
    run: Run, workers: SerialWorkers, tmp_path: Path
) -> None:
    """It refuses to begin where shards are finished."""
    source = _write(tmp_path / "in.txt")
    reduction = TargetVectors(str(tmp_path / "uses.npz"), ["rain"])
    workers.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(source, reduction)
    with pytest.raises(ConfigurationError, match="unfinished work of an earlier run"):
        run.alone(source, TargetsTask(["rain"], tmp_path / "uses.npz"))
    workers.stops_after = -1
    run(source, reduction)
    assert len(set(workers.extracted)) == len(workers.extracted)


# Stores.


@pytest.fixture(name="store", params=["memory", "s3"])
def _store(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty folder of a store."""
    if request.param == "memory":
        yield f"memory://{uuid.uuid4().hex}"
    else:
        with s3_bucket() as bucket:
            yield f"{bucket}/some folder"


def test_a_store_holds_everything(
    run: Run, workers: SerialWorkers, tmp_path: Path, store: str
) -> None:
    """Inputs, parts, receipts and gathered files lie there as on a disk, and work goes on."""
    source = _write(tmp_path / "in.txt")
    # fsspec's store in memory tells the time of a file in two ways, so its versions differ.
    corpus = f"{store}/corpus" if store.startswith("s3") else str(tmp_path / "corpus")
    inputs = Store(corpus)
    inputs.write("a.txt", TEXT.encode("utf-8"))
    inputs.write("b/a.txt", b"a b\n\nc\n")
    workers.stops_after = 1
    with pytest.raises(KeyboardInterrupt):
        run(corpus, AllVectors(f"{store}/v"))
    workers.stops_after = -1
    result = run(corpus, AllVectors(f"{store}/v"))
    (failure,) = result.failures
    assert failure.location.endswith("corpus/b/a.txt")
    assert Store(f"{store}/v.partial").names() == ["counts.jsonl", "failures.jsonl", SETTINGS]
    inputs.write("b/a.txt", b"a b\nc\n")
    result = run(corpus, AllVectors(f"{store}/v"))
    assert result.failures == [] and result.paths == [f"{store}/v"]
    assert len(set(workers.extracted)) == len(workers.extracted)
    rows = _rows(f"{store}/v")
    expected = _expected(run, source, prefix="a.txt:")
    assert list(rows) == [*expected, "b/a.txt:0", "b/a.txt:1"]
    _assert_same({key: rows[key] for key in expected}, expected)
    assert not Store(f"{store}/v.partial").exists()
    num_sessions = workers.num_sessions
    assert run(corpus, AllVectors(f"{store}/v")).receipts == result.receipts
    assert workers.num_sessions == num_sessions
    with pytest.raises(ConfigurationError, match="outside of the input"):
        run(corpus, AllVectors(f"{corpus}/v"))


def test_a_store_holds_targets(
    run: Run, workers: SerialWorkers, tmp_path: Path, store: str
) -> None:
    """Both files hold what those of one process on a disk do."""
    source = _write(tmp_path / "in.txt")
    alone = run.alone(source, TargetsTask(WORDS, tmp_path / "alone.npz"))
    result = run(source, TargetVectors(f"{store}/uses.npz", WORDS))
    assert sorted(result.paths) == [f"{store}/uses.json", f"{store}/uses.npz"]
    _assert_same_targets(Store(store), alone)
    assert not Store(f"{store}/uses.npz.partial").exists()
