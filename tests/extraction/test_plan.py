"""Planning an extraction."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import BilmEncoder, ZeroState
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.plan import ExtractionPlan, make_plan, require_space
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.task import ExtractionTask
from tests.extraction.outputs.corpora import needs_pyarrow
from tests.support.elmo_command import write_command_folder

LINES = ["The rain falls .", "a", "caf\u00e9 \u96e8 rain", "a rain"] * 10


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_command_folder(tmp_path_factory.mktemp("plan"), "\n".join(LINES)).path


def _extractor(folder: Path, **options: Any) -> ElmoExtractor:
    files = (folder / "elmo" / "options.json", folder / "elmo" / "weights.hdf5")
    return ElmoExtractor(BilmEncoder.from_files(*files, initial_state=ZeroState()), **options)


def _plan(folder: Path, task: ExtractionTask, **options: Any) -> ExtractionPlan:
    return make_plan(SentenceFile(folder / "in.txt"), _extractor(folder, **options), task)


def test_everything_is_counted(folder: Path, tmp_path: Path) -> None:
    """Boundaries that stay are rows of the result, but not tokens of the text."""
    task = ExtractionTask(tmp_path / "out.h5")
    plan = _plan(folder, task)
    assert plan.survey[:3] == (40, 100, 4)
    assert plan.num_tokens == 100 and plan.shape == (40, 100, 3, False, 32, "float32")
    kept = _plan(folder, task, keep_sentence_boundaries=True, layers="top")
    assert kept.num_tokens == 100 and kept.shape == (40, 180, None, False, 32, "float32")
    pooled = _plan(folder, task, pool="mean")
    assert pooled.shape.num_rows == 40


def test_only_what_will_run_is_counted(folder: Path, tmp_path: Path) -> None:
    """Sentences without target words do not run."""
    plan = _plan(folder, TargetsTask(["rain"], tmp_path / "bank.npz"), layers=1)
    assert plan.survey.num_tokens == 100 and plan.num_tokens == 90
    assert plan.shape == (30, 30, None, False, 32, "float32")


@pytest.mark.parametrize(
    "name",
    ["out.h5", "out.npz", "out.npy", "out.jsonl", pytest.param("out.parquet", marks=needs_pyarrow)],
)
def test_the_size_is_close(folder: Path, tmp_path: Path, name: str) -> None:
    """The estimate is not below the size of the output, and at most twice as large."""
    task = ExtractionTask(tmp_path / name, has_sentence_index=True)
    job = ExtractionJob(SentenceFile(folder / "in.txt"), _extractor(folder), task)
    plan = job.plan()
    size = sum(path.stat().st_size for path in job.run(plan).paths)
    assert 0.95 * size <= plan.num_bytes < 2 * size


def test_the_disk_must_have_the_space(folder: Path, tmp_path: Path) -> None:
    """The bytes of an unfinished file count as space that is there."""
    task = ExtractionTask(tmp_path / "out.npy")
    plan = _plan(folder, task)
    num_needed = plan.num_bytes + plan.num_working_bytes
    with patch("shutil.disk_usage", return_value=SimpleNamespace(free=num_needed - 10)):
        with pytest.raises(ConfigurationError, match="of free space for '.*out.npy', found"):
            require_space(plan, task, 0)
        assert require_space(plan, task, 10) == num_needed - 10
