"""The command `allennlp elmo --ray`: its arguments, and what it tells."""

import builtins
import json
from pathlib import Path
from typing import Any, Iterator, List

import numpy
import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.commands import elmo_on_ray
from allennlp_elmo_plugin.extraction.distributed import driver
from tests.support.elmo_command import CommandFolder
from tests.support.elmo_files import elmo_options, write_elmo_files
from tests.support.run_command import run_command
from tests.support.serial_workers import SIZES, SerialWorkers, serial_workers

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")

LINES = ["The rain falls .", "a", "caf\u00e9 \u96e8 rain", "rain rain rain rain", "a"]
SMALL = ("--ray", "--shard-megabytes", "0.00002")
"""Shards of 21 bytes."""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CommandFolder:
    write_elmo_files(tmp_path / "elmo", elmo_options(**SIZES), seed=3)
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return CommandFolder(tmp_path)


@pytest.fixture(name="workers")
def _workers() -> Iterator[SerialWorkers]:
    with serial_workers() as workers:
        yield workers


def _keys(path: Path) -> List[str]:
    """Returns the ids in the order of the parts."""
    parts = sorted(path.glob("part-*.parquet"))
    return [key for part in parts for key in parquet.read_table(part)["id"].to_pylist()]


# The output and the messages.


def test_the_plan_and_the_summary_are_told(
    folder: CommandFolder, workers: SerialWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts come first; then what was written, and who did it."""
    folder.run("in.txt", "v", *SMALL, "--top")
    first, second, *summary = capsys.readouterr().out.strip().splitlines()
    assert first == (
        "Found 5 sentences with 13 tokens in 1 file, the longest with 4. They are 3 shards."
    )
    assert second == f"Wrote {folder.path / 'v'}:"
    assert summary[0].startswith("Extracted 5 sentences with 13 tokens of 1 file: 3 shards, ")
    assert summary[1].startswith("This run: 13 tokens in ")
    assert _keys(folder.path / "v") == ["0", "1", "2", "3", "4"]
    assert folder.names() == ["v"]


def test_paths_may_be_relative(
    folder: CommandFolder, workers: SerialWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers have another working directory, so they are told absolute paths."""
    options = ("--options-file", "elmo/options.json", "--weight-file", "elmo/weights.hdf5")
    zero = ("--initial-state", "zero")
    run_command(folder.path, monkeypatch, "elmo", "in.txt", "v", *options, *zero, *SMALL)
    run_command(folder.path, monkeypatch, "elmo", "*.txt", "w", "--model", "elmo", *zero, *SMALL)
    assert _keys(folder.path / "v") == _keys(folder.path / "w") == ["0", "1", "2", "3", "4"]
    seen: List[Any] = []
    monkeypatch.setattr(driver, "extract_on_ray", lambda shards, order, _: seen.append(order))
    with pytest.raises(SystemExit):
        run_command(folder.path, monkeypatch, "elmo", "in.txt", "x", *options, *zero, *SMALL)
    (order,) = seen
    assert order.extractor["model"] == str(folder.path / "elmo" / "options.json")
    assert order.extractor["weight_file"] == str(folder.path / "elmo" / "weights.hdf5")
    assert order.parts.location == str(folder.path / "x")


def test_the_warm_up_text_may_be_the_input(folder: CommandFolder, workers: SerialWorkers) -> None:
    """It is the same for all shards: the first sentences of the first file."""
    folder.run("in.txt", "v", *SMALL, "--warm-up", "input", state="warm")
    folder.run("in.txt", "alone.parquet", "--warm-up", "input", state="warm")
    alone = parquet.read_table(folder.path / "alone.parquet").to_pylist()
    found = parquet.read_table(folder.path / "v", use_threads=False).to_pylist()
    assert [row["id"] for row in found] == [row["id"] for row in alone]
    for row, expected in zip(found, alone):
        assert numpy.allclose(row["vectors"], expected["vectors"], atol=1e-5)


def test_targets_and_types_are_files(
    folder: CommandFolder, workers: SerialWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    """They have the names and the content of those of one process."""
    words = folder.write("words.lst", "rain\nnowhere\n")
    for name, options in (("", SMALL), ("alone-", ())):
        folder.run("in.txt", f"{name}uses.npz", "--top", "--targets", words, *options)
        folder.run("in.txt", f"{name}types.txt", "--top", "--types", "2", *options)
    assert f"Wrote {folder.path / 'uses.json'} and {folder.path / 'uses.npz'}:" in (
        capsys.readouterr().out
    )
    read = json.loads((folder.path / "uses.json").read_text())
    assert read == json.loads((folder.path / "alone-uses.json").read_text())
    texts = [(folder.path / name).read_text().split() for name in ("types.txt", "alone-types.txt")]
    assert [texts[0][0], texts[0][2], texts[0][19]] == [texts[1][0], texts[1][2], texts[1][19]]
    assert not list(folder.path.glob("*.partial"))


def test_a_faulty_shard_gives_status_1(
    folder: CommandFolder, workers: SerialWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are written, and the summary says where the errors are."""
    folder.write("in.txt", "\n".join([*LINES, "", *LINES]) + "\n")
    with pytest.raises(SystemExit) as stopped:
        folder.run("in.txt", "v", *SMALL)
    assert stopped.value.code == 1
    out = capsys.readouterr().out
    assert f"Set aside: 1 shard, with the errors in '{folder.path}/v.partial/failures.jsonl'" in out
    assert {"0", "10"} < set(_keys(folder.path / "v"))


def test_ctrl_c_says_how_to_go_on(
    folder: CommandFolder, workers: SerialWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command completes the rest, with or without `--resume`."""
    workers.stops_after = 1
    with pytest.raises(SystemExit) as stopped:
        folder.run("in.txt", "v", *SMALL)
    assert stopped.value.code == 130
    assert "Run the same command again to go on." in capsys.readouterr().err
    workers.stops_after = -1
    folder.run("in.txt", "v", *SMALL, "--resume")
    assert "Runs before: 1 shard" in capsys.readouterr().out
    assert len(set(workers.extracted)) == len(workers.extracted) == 3


def test_throughput_is_drawn(folder: CommandFolder, workers: SerialWorkers) -> None:
    """The ending chooses the format, and one that cannot be drawn is told first."""
    pytest.importorskip("matplotlib")
    folder.run("in.txt", "v", *SMALL, "--plot", str(folder.path / "plot.svg"))
    assert "<svg" in (folder.path / "plot.svg").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match=r"\.svg"):
        folder.run("in.txt", "w", *SMALL, "--plot", str(folder.path / "plot.doc"))
    assert folder.names() == ["plot.svg", "v"]


# Refusals, before anything is written.


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--initial-state", "carry"], "--ray and --initial-state carry.*Take warm or zero"),
        (["--cuda-device", "0"], "Ray chooses the GPUs. Take --gpus-per-worker"),
        (["--workers", "0"], "--workers to be at least 1, got 0"),
        (["--cpus-per-worker", "-1"], "--cpus-per-worker to be at least 1, got -1"),
        (["--gpus-per-worker", "-1"], "--gpus-per-worker to be 0 or more, got -1"),
        (["--gpus-per-worker", "nan"], "--gpus-per-worker to be 0 or more, got nan"),
        (["--shard-megabytes", "0"], "--shard-megabytes to be more than 0"),
        (["--shard-megabytes", "-1"], "--shard-megabytes to be more than 0"),
        (["--shard-megabytes", "inf"], "--shard-megabytes to be more than 0"),
        (["--ray", "auto"], "number of workers on the cluster. Give it with --workers"),
        (["--types", "3"], "ends in .txt, .vec, .bin"),
        (["--types", "3", "--dtype", "float16"], "hold float32"),
        (["--tokenize", "en", "--input-format", "conllu"], "has tokens of its own"),
        (["--blank-lines", "empty", "--module", "x"], "no trained model"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    folder: CommandFolder, workers: SerialWorkers, options: List[str], problem: str
) -> None:
    """The message names the argument, and the folder stays as it was."""
    state = "carry" if "carry" in options else "zero"
    with pytest.raises(SystemExit, match=problem):
        folder.run("in.txt", "v", "--ray", *options, state=state)
    assert folder.names() == [] and workers.num_sessions == 0


@pytest.mark.parametrize(
    "source, output, problem",
    [
        ("-", "v", "got standard input. Name files"),
        ("in.txt", "v.hdf5", "Leave out the ending '.hdf5'"),
        ("in.txt", "v.parquet", "Leave out the ending '.parquet'"),
        ("in.txt", "nowhere/v", "Expected an existing folder for the output"),
        ("in.txt", "in.txt", "is a file"),
        ("in.txt", "v?", r"without '\?', which Ray takes for the end of a name"),
        ("missing.txt", "v", "a file or folder at '.*missing.txt', but there is none"),
        ("*.tex", "v", r"files that match '.*\*.tex', but there is none"),
        ("elmo", "elmo/v", "outside of the input"),
    ],
)
def test_paths_that_do_not_fit_are_refused(
    folder: CommandFolder, workers: SerialWorkers, source: str, output: str, problem: str
) -> None:
    """Nothing is replaced or made."""
    with pytest.raises(SystemExit, match=problem):
        folder.run(source, output, *SMALL)
    assert folder.names() == [] and workers.num_sessions == 0


def test_a_list_of_words_is_not_replaced(folder: CommandFolder, workers: SerialWorkers) -> None:
    """The places of targets would have its name."""
    words = folder.write("bank.json", "rain\n")
    with pytest.raises(SystemExit, match="would replace '.*bank.json'"):
        folder.run("in.txt", "bank.npz", *SMALL, "--targets", words)
    assert (folder.path / "bank.json").read_text() == "rain\n"


def test_a_missing_ray_says_what_to_install(
    folder: CommandFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left behind."""
    real_import = builtins.__import__

    def without_ray(name: str, *rest: Any, **others: Any) -> Any:
        if name.split(".")[0] == "ray":
            raise ImportError("No module named 'ray'")
        return real_import(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(SystemExit, match=r"pip install 'allennlp-elmo-plugin\[distributed\]'"):
        folder.run("in.txt", "v", *SMALL)
    assert folder.names() == []


def test_workers_fill_this_machine(
    folder: CommandFolder, workers: SerialWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number is that of the processors, divided by those of each, and at least 1."""
    seen = []
    monkeypatch.setattr(elmo_on_ray, "_num_processors", lambda: 7)
    monkeypatch.setattr(driver, "ray_session", lambda cluster: seen.append(cluster) or _no())
    for number in ("1", "2", "9"):
        with pytest.raises(SystemExit, match="seen"):
            folder.run("in.txt", "v", *SMALL, "--cpus-per-worker", number)
    with pytest.raises(SystemExit, match="seen"):
        options = ("--workers", "4", "--gpus-per-worker", "0.5")
        folder.run("in.txt", "v", "--ray", "ray://host:1", *options)
    assert [tuple(cluster) for cluster in seen] == [
        ("local", 7, 1, 0.0),
        ("local", 3, 2, 0.0),
        ("local", 1, 9, 0.0),
        ("ray://host:1", 4, 1, 0.5),
    ]


def _no() -> Any:
    raise ConfigurationError("seen")
