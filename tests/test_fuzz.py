"""A short slice of the fuzzer, and the failures that its harness must notice."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Callable, List, Type

import pytest
from allennlp.common.checks import ConfigurationError
from overrides import overrides

from reliability.fuzz.__main__ import main
from reliability.fuzz.damage import damage, overwrite
from reliability.fuzz.kind import ClearError, Kind, UnclearError, clear_errors, require
from reliability.fuzz.kinds import KINDS
from reliability.fuzz.report import Tally, command_of, failure_table, summary_table
from reliability.fuzz.result import CaseResult, Outcome
from reliability.fuzz.watch import run_cases
from reliability.fuzz.worker import MEMORY_LIMIT, SECONDS_LIMIT, random_of
from tests.support.paths import REPOSITORY

CASES = 40
SEED = 1


class Planted(Kind):
    """A kind whose cases end as planned."""

    name = "planted"
    cases = 2

    @overrides
    def run(self, random: Random, folder: Path) -> None:
        (folder / "left behind").write_text("text")
        self.end(folder)

    def end(self, folder: Path) -> None:
        """Ends the case, here in a correct result."""


class Crash(Planted):
    """A kind that ends as HDF5 does when it reads outside of its memory."""

    @overrides
    def end(self, folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Hang(Planted):
    """A kind that waits for a writer that never comes."""

    @overrides
    def end(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe")
        (folder / "pipe").read_bytes()


class Exhaustion(Planted):
    """A kind that uses more memory than a case may take, and then gives it back."""

    @overrides
    def end(self, folder: Path) -> None:
        assert len(b"\x01" * (MEMORY_LIMIT + 10**8)) > 0


class Reservation(Planted):
    """A kind that asks for more memory than there is."""

    @overrides
    def end(self, folder: Path) -> None:
        bytearray(256 * 2**30)


class Wrong(Planted):
    """A kind that gives a wrong result."""

    @overrides
    def end(self, folder: Path) -> None:
        require(False, "another number: 3")


class Bare(Planted):
    """A kind that ends in an error that is not meant for users."""

    @overrides
    def end(self, folder: Path) -> None:
        raise KeyError("lstm")


class Exit(Planted):
    """A kind that ends the process without an error."""

    @overrides
    def end(self, folder: Path) -> None:
        os._exit(3)


class Clear(Planted):
    """A kind that ends in a clear error."""

    @overrides
    def end(self, folder: Path) -> None:
        with clear_errors(str(folder)):
            raise ConfigurationError(f"'{folder}' is no file.")


class Unclear(Planted):
    """A kind whose error does not name the file."""

    @overrides
    def end(self, folder: Path) -> None:
        with clear_errors(str(folder)):
            raise ConfigurationError("There is no file.")


@pytest.mark.parametrize("name", KINDS)
def test_every_case_ends_well(name: str, tmp_path: Path) -> None:
    """The first cases of a kind give correct results or clear errors."""
    failures = [
        f"{command_of(name, SEED, result.number)}: {result.failure} at {result.place}"
        for result in run_cases(KINDS[name], range(CASES), SEED, tmp_path)
        if result.outcome is Outcome.FAILURE
    ]
    assert failures == []


@pytest.mark.parametrize(
    "kind, failure",
    [
        (Crash, "SIGSEGV"),
        (Exhaustion, "memory"),
        (Reservation, "MemoryError"),
        (Wrong, "wrong result"),
        (Bare, "KeyError"),
        (Exit, "exit 3"),
        (Unclear, "unclear error"),
    ],
)
def test_a_failure_is_noticed(kind: Type[Kind], failure: str, tmp_path: Path) -> None:
    """A bad end of a case is a failure of that case, and the next case runs."""
    results = list(run_cases(kind, range(2), SEED, tmp_path))
    assert [result.number for result in results] == [0, 1]
    assert [result.outcome for result in results] == [Outcome.FAILURE] * 2
    assert [result.failure for result in results] == [failure] * 2


def test_a_hang_is_noticed(tmp_path: Path) -> None:
    """A case that takes too long is ended, and its place is known."""
    (result,) = run_cases(Hang, range(1), SEED, tmp_path)
    assert result.failure == "hang"
    assert result.seconds >= SECONDS_LIMIT
    assert "pathlib" in result.place


@pytest.mark.parametrize(
    "kind, outcome", [(Planted, Outcome.CORRECT), (Clear, Outcome.CLEAR_ERROR)]
)
def test_a_good_end_is_no_failure(kind: Type[Kind], outcome: Outcome, tmp_path: Path) -> None:
    """Correct results and clear errors are counted apart."""
    results = list(run_cases(kind, range(3), SEED, tmp_path))
    assert [result.outcome for result in results] == [outcome] * 3
    assert all(result.memory < MEMORY_LIMIT for result in results)


def test_the_place_of_a_wrong_result_is_what_is_wrong(tmp_path: Path) -> None:
    """Wrong results are grouped by their description up to the colon."""
    (result,) = run_cases(Wrong, range(1), SEED, tmp_path)
    assert (result.place, result.message) == ("another number", "another number: 3")


@pytest.mark.parametrize("change", [damage, overwrite])
def test_a_case_can_be_run_again(change: Callable[[Random, bytes], bytes]) -> None:
    """A case's number and seed give the same damage, and another number gives another."""
    content = bytes(range(256)) * 8
    first, again = (change(random_of("kind", SEED, 5), content) for _ in range(2))
    assert first == again
    assert len({change(random_of("kind", SEED, index), content) for index in range(20)}) > 15


def test_overwriting_keeps_the_size() -> None:
    """Damage in place leaves every other byte where it is."""
    content = bytes(1000)
    assert all(len(overwrite(Random(index), content)) == 1000 for index in range(50))


def test_only_named_files_make_an_error_clear() -> None:
    """A clear error is of an allowed type and names the file; others pass through."""
    with pytest.raises(ClearError), clear_errors("a.json"):
        raise ConfigurationError("'a.json' has no key 'lstm'.")
    with pytest.raises(UnclearError), clear_errors("a.json"):
        raise ConfigurationError("There is no key 'lstm'.")
    with pytest.raises(KeyError), clear_errors("a.json"):
        raise KeyError("a.json")


def test_the_tables_count_failures_by_type() -> None:
    """The tables have the number, type and place of the failures, and a command for the first."""
    tally = Tally("options")
    shown = [
        tally.add(CaseResult(index, Outcome.FAILURE, 0.5, 3 * 10**6, "KeyError", "a.py:3 read"))
        for index in range(3, 10)
    ]
    tally.add(CaseResult(10, Outcome.CORRECT, 0.1, 0))
    assert shown == [True] * 5 + [False] * 2
    row = summary_table([tally]).splitlines()[-1].split()
    assert row == ["options", "8", "1", "0", "7", "0.50", "3", "KeyError", "7"]
    row = failure_table([tally], 2).splitlines()[-1]
    assert row.endswith("python -m reliability.fuzz --kind options --seed 2 --case 3")


def test_the_command_reports_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The command prints each failure, writes it to a file, and returns 1."""
    monkeypatch.setitem(KINDS, "bare", Bare)
    output = ["--output", str(tmp_path / "output")]
    assert main(["--kind", "bare", "--cases", "3", "--jobs", "2", *output]) == 1
    lines = sorted((tmp_path / "output" / "failures.txt").read_text().splitlines())
    assert [line.partition("  # ")[0] for line in lines] == [
        command_of("bare", 0, index) for index in range(3)
    ]
    printed = capsys.readouterr().out
    for line in lines:
        assert "KeyError at test_fuzz.py" in line
        assert line in printed


def test_the_command_returns_0_without_failures(tmp_path: Path, monkeypatch: Any) -> None:
    """Good ends are no reason to fail."""
    monkeypatch.setitem(KINDS, "clear", Clear)
    assert main(["--kind", "clear", "--cases", "3", "--output", str(tmp_path)]) == 0


def test_the_command_runs_one_case_in_this_process(tmp_path: Path) -> None:
    """The error of a single case is raised as it is, and its files are kept."""
    code = (
        "from reliability.fuzz.__main__ import main\n"
        "from reliability.fuzz.kinds import KINDS\n"
        "from tests.test_fuzz import Bare\n"
        "KINDS['bare'] = Bare\n"
        f"main(['--kind', 'bare', '--case', '4', '--output', {str(tmp_path)!r}])\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, stderr=subprocess.PIPE, check=False)
    assert done.stderr.decode().splitlines()[-1] == "KeyError: 'lstm'"
    assert (tmp_path / "bare-4" / "case" / "left behind").is_file()


@pytest.mark.parametrize("arguments", [["--kind", "none"], ["--case", "3"], ["--cases", "0"]])
def test_wrong_arguments_are_refused(arguments: List[str]) -> None:
    """An unknown kind, a case without a kind, and a number below 1 are errors."""
    with pytest.raises(SystemExit):
        main(arguments)
