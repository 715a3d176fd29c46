"""
The extraction of the vectors of target words from a corpus, whose finished file can be kept.
"""

import json
from pathlib import Path
from typing import Any, Dict

from allennlp_elmo_plugin.extraction.extractor import ElmoExtractor
from allennlp_elmo_plugin.extraction.inputs.sentence_file import SentenceFile
from allennlp_elmo_plugin.extraction.job import ExtractionJob
from allennlp_elmo_plugin.extraction.targets import TargetsTask
from allennlp_elmo_plugin.extraction.working_folder import require_same_settings
from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.json_file import read_json

__all__ = ["extract_occurrences", "settings_path"]


def extract_occurrences(
    source: SentenceFile,
    extractor: ElmoExtractor,
    task: TargetsTask,
    resumes: bool,
    settings: Dict[str, Any],
) -> bool:
    """
    Writes the vectors of target words in a corpus, and what they were computed with beside them.

    # Parameters

    source : `SentenceFile`
        The corpus.
    extractor : `ElmoExtractor`
        The engine.
    task : `TargetsTask`
        The task, which knows the words and the output.
    resumes : `bool`
        If `True`, an output of the same corpus, model and settings is kept, and an unfinished one
        is completed.
    settings : `Dict[str, Any]`
        Other things that the vectors depend on, values of JSON by their names.

    # Returns

    `bool`
        `True` if the output was computed, `False` if a finished one was kept.

    # Raises

    `ConfigurationError`
        If the corpus has faults, or if an output that is to be kept was made from something else.
    """
    job = ExtractionJob(source, extractor, task, resumes, settings)
    plan = job.plan()
    record = settings_path(task.output)
    all_settings = job.settings(plan)
    if resumes and record.is_file() and task.output.is_file():
        begun = read_json(record, "the settings of an extraction")
        require_same_settings(begun, all_settings, str(task.output))
        return False
    # An old record must not vouch for a new file.
    record.unlink(missing_ok=True)
    job.run(plan)
    with write_atomically(record) as partial:
        partial.write_text(json.dumps(all_settings, indent=2) + "\n", encoding="utf-8")
    return True


def settings_path(output: Path) -> Path:
    """
    Returns the path of the record of what an output was computed with.

    # Parameters

    output : `Path`
        Path of the output.

    # Returns

    `Path`
    """
    return output.with_suffix(".settings.json")
