"""The run of an extraction: commits, kills, what is left of it."""

import io
import json
import logging
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List
from unittest.mock import patch

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, CarryState, ZeroState
from allennlp_elmo_plugin.extraction import job as job_module
from allennlp_elmo_plugin.extraction.distributed.shard_targets import OccurrencesTask
from allennlp_elmo_plugin.extraction.distributed.shard_types import WordSumsTask
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.outputs.base import Output
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from allennlp_elmo_plugin.extraction.word_types import WordTypesTask
from allennlp_elmo_plugin.extraction.working_folder import WorkingFolder
from allennlp_elmo_plugin.io.journaled_file import JournaledFile
from tests.extraction.outputs.corpora import needs_pyarrow, read
from tests.support.elmo_command import failing_after
from tests.support.elmo_files import ElmoFiles, write_elmo_files

LINES = [
    " ".join(["rain", "a", f"w{number}", "rain", "the"][: number % 5 + 1]) for number in range(30)
]
FORMATS = [
    "out.hdf5",
    "out.npz",
    "out.npy",
    "pooled.npy",
    pytest.param("out.parquet", marks=needs_pyarrow),
    "out.jsonl",
    "targets.npz",
    "types.vec",
    pytest.param("occurrences.parquet", marks=needs_pyarrow),
    pytest.param("sums.parquet", marks=needs_pyarrow),
]


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> ElmoFiles:
    return write_elmo_files(tmp_path_factory.mktemp("elmo"), seed=3)


class _Corpus:
    """A text of which jobs are made."""

    def __init__(self, folder: Path, files: ElmoFiles) -> None:
        self.folder, self._files = folder, files
        self.path = folder / "in.txt"
        self.path.write_text("\n".join(LINES), encoding="utf-8")

    def job(self, name: str, resumes: bool = False, state: Any = None, **options: Any) -> Any:
        """Makes a job whose windows have few sentences."""
        encoder = BilmEncoder.from_files(*self._files, initial_state=state or ZeroState())
        pool = "mean" if name.startswith("pooled") else None
        options = {"layers": "top", "max_tokens": 2, "batch_size": 4, "pool": pool, **options}
        return ExtractionJob(
            SentenceFile(self.path),
            ElmoExtractor(encoder, **options),
            self._task(self.folder / name),
            resumes,
        )

    def run(self, name: str, resumes: bool = False, **options: Any) -> Any:
        """Plans and runs a job."""
        job = self.job(name, resumes, **options)
        return job.run(job.plan())

    def names(self) -> List[str]:
        """Returns the names in the folder without that of the input."""
        return sorted(path.name for path in self.folder.iterdir() if path != self.path)

    @staticmethod
    def _task(output: Path) -> ExtractionTask:
        if output.name.startswith("targets"):
            return TargetsTask(["rain", "w9"], output)
        if output.name.startswith("types"):
            return WordTypesTask(4, output)
        if output.name.startswith("occurrences"):
            return OccurrencesTask(["rain", "w9"], output)
        if output.name.startswith("sums"):
            return WordSumsTask({"rain": 1, "w9": 0}, output)
        return ExtractionTask(output, has_sentence_index=True)


@contextmanager
def _stopping(owner: Any, method: str) -> Iterator[None]:
    """Raises an error in place of a method, and expects it."""
    stopped = RuntimeError("stopped")
    with patch.object(owner, method, side_effect=stopped), pytest.raises(RuntimeError):
        yield


@pytest.fixture(name="corpus")
def _corpus(tmp_path: Path, files: ElmoFiles) -> _Corpus:
    return _Corpus(tmp_path, files)


def _content(path: Path) -> Dict[str, numpy.ndarray]:
    if path.suffix == ".vec":
        rows = [line.split() for line in path.read_text().splitlines()]
        return {row[0]: numpy.array(row[1:], dtype="float32") for row in rows}
    if path.name.startswith("targets"):
        places = json.loads(path.with_suffix(".json").read_text())
        return {f"{places[word]}": array for word, array in numpy.load(path).items()}
    if path.name.startswith(("occurrences", "sums")):
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
        return {f"{others}": numpy.array(vector) for *others, vector in map(dict.values, rows)}
    return read(path)


def _assert_same(found: Path, expected: Path) -> None:
    """Without kernels, the character CNN's last digits depend on what is in the word cache."""
    contents = _content(found), _content(expected)
    assert list(contents[0]) == list(contents[1])
    for one, other in zip(*(content.values() for content in contents)):
        assert one.shape == other.shape
        assert not one.size or abs(one - other).max() < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_a_job_goes_on_after_any_error(corpus: _Corpus, name: str) -> None:
    """Errors in windows, in the completion and in the last moves leave work that goes on."""
    (corpus.folder / "expected").mkdir()
    undisturbed = _Corpus(corpus.folder / "expected", corpus._files)
    undisturbed.run(name)

    for num_windows in (2, 1):
        with failing_after(num_windows, RuntimeError), pytest.raises(RuntimeError):
            corpus.run(name, resumes=num_windows == 1)
    output_class = corpus.job(name)._task.output_class
    for method in ("_complete", "_publish"):
        for _ in range(2):
            with _stopping(output_class, method):
                corpus.run(name, resumes=True)
        assert not (corpus.folder / name).exists()
    summary = corpus.run(name, resumes=True)
    assert summary.num_tokens == 0
    _assert_same(corpus.folder / name, undisturbed.folder / name)
    assert corpus.names() == sorted(["expected", *undisturbed.names()])


@pytest.mark.parametrize("name", ["out.hdf5", "types.vec"])
def test_a_job_that_is_done_but_for_its_folder(corpus: _Corpus, name: str) -> None:
    """A kill before the folder was removed: what is left is removed, and nothing is run."""
    with _stopping(WorkingFolder, "remove"):
        corpus.run(name)
    before = (corpus.folder / name).read_bytes()
    with patch.object(ElmoExtractor, "run_window", side_effect=AssertionError):
        corpus.run(name, resumes=True)
    assert (corpus.folder / name).read_bytes() == before
    assert corpus.names() == [name]


def test_a_new_job_after_a_finished_one_whose_folder_is_left(corpus: _Corpus) -> None:
    """Without `resumes` it starts anew, with another text."""
    with _stopping(WorkingFolder, "remove"):
        corpus.run("out.npz")
    corpus.path.write_text("rain\n", encoding="utf-8")
    corpus.run("out.npz")
    assert list(numpy.load(corpus.folder / "out.npz")) == ["0"]


def test_the_summary_counts_this_run(corpus: _Corpus) -> None:
    """All sentences of the output, and the tokens that were run since the last commit."""
    num_tokens = sum(len(line.split()) for line in LINES)
    with failing_after(3, RuntimeError), pytest.raises(RuntimeError):
        corpus.run("out.npy")
    state = JournaledFile(corpus.folder / "out.npy.partial" / "data")
    record: Dict[str, int] = state.record or {}
    state.close()
    summary = corpus.run("out.npy", resumes=True)
    assert summary.num_sentences == 30
    assert 0 < summary.num_tokens == num_tokens - record["num_tokens"]
    assert summary.paths == [corpus.folder / "out.json", corpus.folder / "out.npy"]


def test_work_is_committed_now_and_then(corpus: _Corpus) -> None:
    """After the first window that ends ten seconds after the last commit, and at the end."""
    times = iter(range(0, 1000, 4))
    commits = []
    with patch.object(job_module.time, "monotonic", lambda: float(next(times))), patch.object(
        Output, "commit", autospec=True, side_effect=lambda _, record: commits.append(record)
    ), patch.object(Output, "finish"):
        corpus.run("out.jsonl")
    assert [record["num_read"] for record in commits[-1:]] == [30]
    assert len(commits) == 2


def test_what_is_left_is_told(corpus: _Corpus, caplog: pytest.LogCaptureFixture) -> None:
    """An error says where the work is, and how to go on; a second job is refused."""
    caplog.set_level(logging.ERROR)
    with failing_after(1, RuntimeError), pytest.raises(RuntimeError):
        corpus.run("out.hdf5")
    assert f"kept in '{corpus.folder / 'out.hdf5.partial'}'" in caplog.text
    with pytest.raises(ConfigurationError, match="unfinished work of an earlier run"):
        corpus.job("out.hdf5").plan()
    assert corpus.names() == ["out.hdf5.partial"]


def test_a_carried_state_leaves_nothing(corpus: _Corpus) -> None:
    """Work that cannot be resumed is removed, and `resumes` is refused."""
    with failing_after(1, RuntimeError), pytest.raises(RuntimeError):
        corpus.run("out.hdf5", state=CarryState())
    assert corpus.names() == []
    with pytest.raises(ConfigurationError, match="to resume a run, but"):
        corpus.job("out.hdf5", resumes=True, state=CarryState())


@pytest.mark.parametrize("is_part", [True, False])
def test_the_progress_bar_can_be_left_out(
    corpus: _Corpus, capsys: pytest.CaptureFixture, is_part: bool
) -> None:
    """Of many jobs beside each other, none shows one."""
    parts = corpus.job("out.npz")
    job = ExtractionJob(parts._source, parts._engine, parts._task, is_part=is_part)
    job.run(job.plan())
    assert ("tokens/s" in capsys.readouterr().err) is not is_part


def test_another_model_cannot_go_on(corpus: _Corpus, tmp_path: Path) -> None:
    """The weights are a part of the settings, and so is the size of batches."""
    with failing_after(1, RuntimeError), pytest.raises(RuntimeError):
        corpus.run("out.hdf5")
    corpus._files = write_elmo_files(tmp_path / "other", seed=4)
    with pytest.raises(ConfigurationError, match="max tokens was 2 and is 3; weights was"):
        corpus.run("out.hdf5", resumes=True, max_tokens=3)


def test_too_small_a_disk_is_refused(corpus: _Corpus) -> None:
    """Before anything is run or begun."""
    usage = patch("shutil.disk_usage", return_value=SimpleNamespace(free=10))
    with usage, pytest.raises(ConfigurationError, match="of free space for '.*out.hdf5', found"):
        corpus.run("out.hdf5")
    assert corpus.names() == []


@contextmanager
def _largest_file(num_bytes: int) -> Iterator[None]:
    """Lets no file grow beyond a size, as on a full disk, but for the progress bar's."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_ends_a_job_that_goes_on_later(corpus: _Corpus, name: str) -> None:
    """The error says what is full and names the output, whenever there is no more space."""
    corpus.run(name)
    stem, suffix = name.split(".")
    expected = corpus.folder / f"{stem}_expected.{suffix}"
    for path in corpus.folder.glob(f"{stem}.*"):
        path.rename(path.with_name(path.name.replace(stem, expected.stem)))
    with patch.object(job_module, "COMMIT_SECONDS", 0.0):
        for tenths in (1, 5, 9):
            limit = expected.stat().st_size * tenths // 10
            full = pytest.raises(OSError, match=f"(?i)file too large.*{name}")
            with full, _largest_file(limit):
                corpus.run(name, resumes=True)
            assert not (corpus.folder / name).exists()
    corpus.run(name, resumes=True)
    _assert_same(corpus.folder / name, expected)
    assert f"{name}.partial" not in corpus.names()


def test_two_jobs_cannot_write_one_output(corpus: _Corpus) -> None:
    """The second says that the first is at work."""
    first, second = (corpus.job("out.npz", resumes=True) for _ in range(2))
    embed = ElmoExtractor.run_window

    def run_window(self: ElmoExtractor, window: Any) -> Any:
        if self is first._engine:
            with pytest.raises(BlockingIOError, match="Another process writes this file"):
                second.run(second.plan())
        return embed(self, window)

    with patch.object(ElmoExtractor, "run_window", run_window):
        first.run(first.plan())
    assert corpus.names() == ["out.npz"]
