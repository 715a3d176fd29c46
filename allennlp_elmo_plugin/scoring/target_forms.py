"""
Target words with their forms, read from a file.
"""

import os
from typing import Dict, Union

from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin.io.text_lines import read_lines

__all__ = ["read_target_forms"]


def read_target_forms(location: Union[str, "os.PathLike[str]"]) -> Dict[str, str]:
    """
    Reads a file of target words.

    # Parameters

    location : `Union[str, PathLike]`
        Path or URL of a text file in UTF-8. A line has a lemma, or a lemma and its other forms with
        commas between them: `mouse,mice`. Blank lines are skipped.

    # Returns

    `Dict[str, str]`
        The lemma of each form, the lemma itself among them.

    # Raises

    `ConfigurationError`
        If the file is missing or is not text in UTF-8, if it has no words, or if a form has two
        lemmas.
    """
    lemmas: Dict[str, str] = {}
    for line in read_lines(location, "the target words"):
        forms = [form for form in map(str.strip, line.split(",")) if form]
        for form in forms:
            if lemmas.setdefault(form, forms[0]) != forms[0]:
                raise ConfigurationError(
                    f"Expected each form to have one lemma, but '{form}' stands in the lines of "
                    f"'{lemmas[form]}' and '{forms[0]}' of '{location}'. Leave it out of one."
                )
    if not lemmas:
        raise ConfigurationError(f"Expected one or more target words in '{location}', found none.")
    return lemmas
