"""
The command `python -m reliability.fuzz`, which runs cases of all kinds or some.
"""

import argparse
import faulthandler
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Dict, List, Optional, Sequence, TextIO

from allennlp.common import Tqdm

from reliability.fuzz.kind import ClearError
from reliability.fuzz.kinds import KINDS
from reliability.fuzz.report import Tally, command_of, failure_table, summary_table
from reliability.fuzz.result import CaseResult
from reliability.fuzz.watch import run_cases
from reliability.fuzz.worker import build, random_of


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """
    Runs cases, prints the failures and a table, and writes every failure to `failures.txt`.

    # Parameters

    arguments : `Sequence[str]`, optional (default = `None`)
        Arguments in place of the command line's.

    # Returns

    `int`
        The exit status: 1 with failures, else 0.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.kind) - set(KINDS)
    if unknown:
        parser.error(f"there is no kind {', '.join(sorted(unknown))}; use {', '.join(KINDS)}")
    chosen.output.mkdir(parents=True, exist_ok=True)
    if chosen.case is not None:
        if len(chosen.kind) != 1:
            parser.error("--case needs one --kind")
        return _run_one(chosen.kind[0], chosen.seed, chosen.case, chosen.output)
    tallies = _run_all(chosen)
    print(summary_table(tallies))
    if not any(tally.num_failures for tally in tallies):
        return 0
    print(f"\n{failure_table(tallies, chosen.seed)}")
    return 1


def _run_all(chosen: argparse.Namespace) -> List[Tally]:
    numbers = {name: chosen.cases or KINDS[name].cases for name in chosen.kind}
    with TemporaryDirectory(prefix="fuzz-") as folder, open(
        chosen.output / "failures.txt", "w", encoding="utf-8"
    ) as failures, Tqdm.tqdm(total=sum(numbers.values()), unit="cases") as progress:
        run = _Run(chosen.seed, chosen.kind, failures, progress)
        with ThreadPoolExecutor(chosen.jobs) as pool:
            shares = [
                pool.submit(run.share, numbers, Path(folder) / str(job), job, chosen.jobs)
                for job in range(chosen.jobs)
            ]
            for share in shares:
                share.result()
    return list(run.tallies.values())


class _Run:
    """A run of all kinds, to which several threads add results."""

    def __init__(self, seed: int, kinds: Sequence[str], failures: TextIO, progress: Any) -> None:
        self.tallies = {name: Tally(name) for name in kinds}
        self._seed, self._failures, self._progress = seed, failures, progress
        self._lock = Lock()

    def share(self, numbers: Dict[str, int], folder: Path, job: int, jobs: int) -> None:
        """Runs every case whose number leaves the remainder `job`."""
        for name, number in numbers.items():
            cases = range(job, number, jobs)
            for result in run_cases(KINDS[name], cases, self._seed, folder / name):
                with self._lock:
                    self._add(name, result)

    def _add(self, name: str, result: CaseResult) -> None:
        is_shown = self.tallies[name].add(result)
        self._progress.update()
        if not result.failure:
            return
        command = command_of(name, self._seed, result.number)
        line = f"{command}  # {result.failure} at {result.place}: {result.message}"
        self._failures.write(line + "\n")
        if is_shown:
            self._progress.write(line)


def _run_one(name: str, seed: int, index: int, output: Path) -> int:
    """Runs one case in this process, which a debugger can follow, and keeps its files."""
    faulthandler.enable()
    folder = (output / f"{name}-{index}").resolve()
    prepared = build(KINDS[name], folder)
    case = folder / "case"
    case.mkdir()
    print(f"The files of the case are in '{case}'.", flush=True)
    try:
        prepared.run(random_of(name, seed, index), case)
    except ClearError as error:
        print(f"A clear error: {error}")
    else:
        print("A correct result.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reliability.fuzz",
        description="Hands random input to everything that reads some. Each case must end in a "
        "correct result or a clear error, within 5 s and 1 GB.",
    )
    parser.add_argument(
        "--kind",
        type=lambda text: text.split(","),
        default=list(KINDS),
        help=f"the kinds, separated by commas (default: {','.join(KINDS)})",
    )
    parser.add_argument(
        "--cases", type=_positive, help="the number of cases of each kind (default: its own)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed (default: %(default)s)")
    parser.add_argument(
        "--case", type=int, help="run one case again, in this process, and print its whole error"
    )
    parser.add_argument(
        "--jobs", type=_positive, default=2, help="the number of workers (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/fuzz"),
        help="the folder for failures.txt and the files of a case (default: %(default)s)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


if __name__ == "__main__":
    sys.exit(main())
