"""
The run of a distributed extraction, from files of sentences to a folder of vectors.
"""

import json
import re
import time
from functools import partial
from hashlib import blake2b
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.extraction.distributed.begun_work import (
    SETTINGS,
    SIZE_OF_SHARDS,
    begin_work,
    locked_work,
    remove_work,
    require_same_work,
)
from allennlp_elmo_plugin.extraction.distributed.counting import Count, number_shards
from allennlp_elmo_plugin.extraction.distributed.cutting import SHARD_BYTES, cut_into_shards
from allennlp_elmo_plugin.extraction.distributed.input_files import find_input_files
from allennlp_elmo_plugin.extraction.distributed.on_ray import (
    RAY_NAMES,
    Cluster,
    count_on_ray,
    extract_on_ray,
    ray_session,
    read_receipts,
)
from allennlp_elmo_plugin.extraction.distributed.open_shard import InputOptions
from allennlp_elmo_plugin.extraction.distributed.overlap import require_apart
from allennlp_elmo_plugin.extraction.distributed.reductions import PARTS, Reduction
from allennlp_elmo_plugin.extraction.distributed.reports import (
    RECEIPTS,
    failures_to_json_lines,
    receipts_from_parquet,
    receipts_to_parquet,
)
from allennlp_elmo_plugin.extraction.distributed.shard import Failure, Receipt, Shard
from allennlp_elmo_plugin.extraction.distributed.store import Store
from allennlp_elmo_plugin.extraction.distributed.worker import BEGUN, FAILURES, WorkOrder
from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.working_folder import RESUMABLE, require_same_settings

__all__ = ["DistributedExtraction", "DistributedPlan", "DistributedResult"]

COUNTS = "counts.jsonl"
SMALL_BYTES = 1 << 24
REPORT = "failures.jsonl"
WORDS = "words.json"
INPUT = "input"
"""Key of the settings in the output: the digest of all shards."""
LEFTOVERS = (COUNTS, WORDS, REPORT, BEGUN, FAILURES, PARTS, *RAY_NAMES)
PART_NAME = re.compile(r"part-[0-9]+-[0-9a-f]{8}\.parquet")
LOST = (
    "Its vectors could not be written, or Ray has lost it. Ray's log says more. The next run tries "
    "it again."
)


class DistributedPlan(NamedTuple):
    """
    Sizes of a distributed extraction, known before it starts.

    # Parameters

    num_files : `int`
        The number of files with sentences.
    num_shards : `int`
        The number of shards.
    num_sentences : `int`
        The number of sentences.
    num_tokens : `int`
        The number of their tokens.
    longest : `int`
        The number of tokens of the longest sentence.
    """

    num_files: int
    num_shards: int
    num_sentences: int
    num_tokens: int
    longest: int


class DistributedResult(NamedTuple):
    """
    The outcome of a distributed extraction.

    # Parameters

    paths : `List[str]`
        Paths or URLs of the output.
    receipts : `List[Receipt]`
        Receipts of all finished shards, in their order, also of earlier runs.
    failures : `List[Failure]`
        The shards that were set aside, in their order.
    began : `float`
        Time at which the workers of this run were started, in seconds since 1970.
    report : `str`
        Path or URL of the file with all failures.
    """

    paths: List[str]
    receipts: List[Receipt]
    failures: List[Failure]
    began: float
    report: str


class DistributedExtraction:
    """
    An extraction of vectors from many files by many processes, which can be interrupted.

    Its work lies in the folder `OUTPUT.partial`. The same extraction, run again, completes it: the
    shards with a receipt are not run a second time. A shard whose content is at fault is set aside
    after two tries, and tried again by the next run. Files of the input that have changed since the
    last run are run anew.

    # Parameters

    source : `str`
        Path or URL of a file, a folder, or a glob.
    reduction : `Reduction`
        The kind of result; it knows the output.
    extractor_options : `Dict[str, Any]`
        Arguments of `ElmoExtractor.load`.
    input_options : `InputOptions`
        Options of the input.
    cluster : `Cluster`
        The processes.
    shard_bytes : `int`, optional (default = `1 << 20`)
        Size of a shard: a stretch of a file of about so many bytes.
    settings : `Dict[str, Any]`, optional (default = `None`)
        Other things that the result depends on, values of JSON by their names.
    """

    def __init__(
        self,
        source: str,
        reduction: Reduction,
        extractor_options: Dict[str, Any],
        input_options: InputOptions,
        cluster: Cluster,
        shard_bytes: int = SHARD_BYTES,
        settings: Optional[Dict[str, Any]] = None,
    ) -> None:
        self._source, self._reduction, self._cluster = source, reduction, cluster
        self._extractor_options, self._input_options = extractor_options, input_options
        self._shard_bytes = shard_bytes
        self._settings = settings or {}
        self._work = Store(f"{reduction.output}.partial")
        self._parts = reduction.parts(self._work)

    def run(self, tell: Callable[[DistributedPlan], None]) -> DistributedResult:
        """
        Runs the extraction, or what is left of it.

        # Parameters

        tell : `Callable[[DistributedPlan], None]`
            Receives the plan before the first vector is computed.

        # Returns

        `DistributedResult`

        # Raises

        `ConfigurationError`
            If there is no input, if the model or the cluster is not as expected, if the output is
            a part of the input, if the work was begun with something else, or if another process is
            at it.
        `OSError`
            If the output cannot be written. What is finished stays.
        """
        files = find_input_files(self._source)
        require_apart(self._source, files, [*self._reduction.paths(), self._work.location])
        shards = list(cut_into_shards(files, self._shard_bytes))
        settings = self._check_model()
        finished = self._finished(settings, shards)
        if finished is not None:
            return finished
        with locked_work(self._work):
            self._require_begun_or_new(settings)
            with ray_session(self._cluster):
                # Nothing is left of a run that has failed before.
                begin_work(self._work, settings, LEFTOVERS)
                self._parts.make()
                return self._complete(settings, shards, tell)

    def _complete(
        self,
        settings: Dict[str, Any],
        shards: List[Shard],
        tell: Callable[[DistributedPlan], None],
    ) -> DistributedResult:
        """Does what is left of the work, in a session of Ray."""
        counts = self._count(shards)
        numbered, failures = number_shards(shards, list(counts.values()))
        tell(self._plan(numbered, counts))
        for name in (BEGUN, FAILURES):
            self._work.remove(name)
        self._require_parts(self._receipts(numbered))
        began = time.time()
        if numbered:
            extract_on_ray(numbered, self._order(settings), self._cluster)
        receipts = self._receipts(numbered)
        failures = [*failures, *self._failures(numbered, receipts)]
        return self._finish({**settings, INPUT: _digest(shards)}, receipts, failures, began)

    def _require_begun_or_new(self, settings: Dict[str, Any]) -> None:
        """Checks that the work, or the folder of the output, has nothing of something else."""
        if require_same_work(self._work, settings) or not self._reduction.keeps_parts:
            return
        for name in self._parts.names():
            if not name.startswith(("_", ".")) and PART_NAME.fullmatch(name) is None:
                raise ConfigurationError(
                    f"Expected a new or empty folder for the vectors, but '{self._parts.location}' "
                    f"holds '{name}', which readers of the folder would take for vectors. Choose "
                    "another output, or move the file."
                )

    def _finished(
        self, settings: Dict[str, Any], shards: List[Shard]
    ) -> Optional[DistributedResult]:
        """Returns the result of an earlier run that has left nothing to do."""
        if not self._reduction.keeps_parts or self._work.exists(SETTINGS):
            return None
        if not self._parts.exists(RECEIPTS):
            return None
        begun = self._parts.read_json(f"_{SETTINGS}") or {}
        digest = begun.pop(INPUT, None)
        require_same_settings(begun, settings, self._parts.location)
        if digest != _digest(shards):
            raise ConfigurationError(
                f"'{self._parts.location}' has the vectors of other files, or of other versions of "
                "them. Choose another output, or remove this one."
            )
        receipts = receipts_from_parquet(self._parts.read(RECEIPTS))
        self._require_parts(receipts)
        return DistributedResult([self._parts.location], receipts, [], time.time(), "")

    def _check_model(self) -> Dict[str, Any]:
        """Loads the model, and returns everything that the result depends on but the input."""
        extractor = ElmoExtractor.load(**self._extractor_options)
        if extractor.order_counts:
            raise ConfigurationError(
                "Expected vectors that depend on their sentence alone to extract them in several "
                f"processes, but {extractor.encoder.uncacheable_reason()}. Leave out --ray, or "
                "take another initial state."
            )
        self._reduction.require_fit(extractor)
        layers = () if extractor.num_layers is None else (extractor.num_layers,)
        self._row_shape = (*layers, extractor.dim)
        return {
            "weights": extractor.digest(),
            **extractor.settings(),
            **self._reduction.settings(),
            **self._input_options._asdict(),
            SIZE_OF_SHARDS: self._shard_bytes,
            **self._settings,
            # A run in one process must not take the work for what cannot go on.
            RESUMABLE: True,
        }

    def _count(self, shards: List[Shard]) -> Dict[str, Count]:
        """Returns the counts of all shards by their ids, in the order of the shards."""
        known = self._read_counts()
        missing = [shard for shard in shards if shard.id not in known]
        count = partial(self._reduction.count, self._input_options)
        words: Dict[str, Dict[str, int]] = {}
        # To start processes for a small input takes longer than to read it.
        is_small = sum(shard.end - shard.start for shard in missing) < SMALL_BYTES
        counts = map(count, missing) if is_small else count_on_ray(missing, count, self._cluster)
        for found, words_of_shard in counts:
            known[found.id] = found
            words[found.id] = words_of_shard
        if self._reduction.chooses_words:
            sound = [shard.id for shard in shards if known[shard.id].error is None]
            self._choose_words(sound, words)
        if missing:
            lines = (json.dumps(known[shard.id]) + "\n" for shard in shards)
            self._work.write(COUNTS, "".join(lines).encode())
        return {shard.id: known[shard.id] for shard in shards}

    def _choose_words(self, sound: List[str], words: Dict[str, Dict[str, int]]) -> None:
        """Chooses words by the shards without an error, or checks that they were chosen by them."""
        chosen = self._work.read_json(WORDS)
        if chosen is None:
            # They are kept before the counts, so the words of all shards are known here.
            most_frequent = self._reduction.choose_words(map(words.__getitem__, sound))
            self._work.write_json(WORDS, {"shards": sound, "words": most_frequent})
        elif chosen["shards"] != sound:
            raise ConfigurationError(
                f"Expected the input with which the work in '{self._work.location}' was begun, but "
                "files have changed, are new, are gone, or can be read only now, and the most "
                "frequent words differ with them. Delete the folder to begin again."
            )

    def _read_counts(self) -> Dict[str, Count]:
        if not self._work.exists(COUNTS):
            return {}
        lines = self._work.read(COUNTS).decode().splitlines()
        counts = (Count(*json.loads(line)) for line in lines)
        # Another machine, or a mended disk, may be able to read it now.
        return {count.id: count for count in counts if count.error is None}

    def _words(self) -> List[str]:
        chosen = self._work.read_json(WORDS) or {}
        words: List[str] = chosen.get("words", [])
        return words

    def _order(self, settings: Dict[str, Any]) -> WorkOrder:
        device = "cuda" if self._cluster.gpus_per_worker else "cpu"
        return WorkOrder(
            extractor={**self._extractor_options, "device": device},
            weights=settings["weights"],
            make_task=self._reduction.task_maker(self._words()),
            input_options=self._input_options,
            parts=self._parts,
            work=self._work,
            num_threads=self._cluster.cpus_per_worker,
        )

    def _receipts(self, shards: List[Shard]) -> List[Receipt]:
        """Returns the receipts of finished shards, with the numbers that the shards have now."""
        numbers = {shard.id: shard.number for shard in shards}
        receipts = (
            receipt._replace(number=numbers[receipt.id])
            for receipt in read_receipts(self._work)
            if receipt.id in numbers
        )
        return sorted(receipts, key=lambda receipt: receipt.number)

    def _require_parts(self, receipts: List[Receipt]) -> None:
        missing = {receipt.path for receipt in receipts} - set(self._parts.names())
        if missing:
            raise ConfigurationError(
                f"Expected the files of all {len(receipts):,} finished shards in "
                f"'{self._parts.location}', but {len(missing):,} are missing, such as "
                f"'{min(missing)}'. Restore them, or delete '{self._work.location}' to begin again."
            )

    def _failures(self, shards: List[Shard], receipts: List[Receipt]) -> List[Failure]:
        """Returns why shards without a receipt have none."""
        done = {receipt.id for receipt in receipts}
        names = set(self._work.names(FAILURES))
        failures = []
        for shard in shards:
            if shard.id in done:
                continue
            name = f"{shard.id}.json"
            if name in names:
                failures.append(Failure(**json.loads(self._work.read(f"{FAILURES}/{name}"))))
            else:
                place = (shard.id, shard.number, shard.location, shard.start, shard.end)
                failures.append(Failure(*place, LOST))
        return failures

    def _finish(
        self,
        settings: Dict[str, Any],
        receipts: List[Receipt],
        failures: List[Failure],
        began: float,
    ) -> DistributedResult:
        failures = sorted(failures, key=lambda failure: failure.number)
        paths = self._reduction.gather(self._parts, receipts, self._words(), self._row_shape)
        if self._reduction.keeps_parts:
            self._tidy(settings, receipts)
        if failures:
            self._work.write(REPORT, failures_to_json_lines(failures))
        else:
            remove_work(self._work)
        report = f"{self._work.location}/{REPORT}"
        return DistributedResult(paths, receipts, failures, began, report)

    def _tidy(self, settings: Dict[str, Any], receipts: List[Receipt]) -> None:
        """Removes files of shards that the input no longer has, and adds the receipts."""
        kept = {receipt.path for receipt in receipts}
        for name in self._parts.names():
            if PART_NAME.fullmatch(name) and name not in kept:
                self._parts.remove(name)
        self._parts.write_json(f"_{SETTINGS}", settings)
        self._parts.write(RECEIPTS, receipts_to_parquet(receipts))

    def _plan(self, shards: List[Shard], counts: Dict[str, Count]) -> DistributedPlan:
        return DistributedPlan(
            num_files=len({shard.location for shard in shards}),
            num_shards=len(shards),
            num_sentences=sum(shard.num_sentences for shard in shards),
            num_tokens=sum(shard.num_tokens for shard in shards),
            longest=max((count.longest for count in counts.values()), default=0),
        )


def _digest(shards: List[Shard]) -> str:
    places = "".join(f"{shard.id} {shard.key_prefix}\n" for shard in shards)
    return blake2b(places.encode("utf-8"), digest_size=16).hexdigest()
