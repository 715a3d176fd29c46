"""
A patch for the attack `input-reduction` on tagged sentences without entities.

The attack removes tokens that are tagged `O` until the tags of the others change. If all tokens are
`O`, it removes the last one too, and runs the model on a sentence without tokens, which fails.
"""

from typing import Any, List

from allennlp.data import Instance
from allennlp.interpret.attackers import input_reduction

from allennlp_elmo_plugin.patches.methods import Method, replace_method

__all__ = ["patch_input_reduction"]


def _patch(remove_one_token: Method) -> Method:
    def patched(instance: Instance, input_field_to_attack: str, *args: Any, **kwargs: Any) -> List:
        if len(instance[input_field_to_attack]) <= 1:
            return []
        return remove_one_token(instance, input_field_to_attack, *args, **kwargs)

    return patched


def patch_input_reduction() -> None:
    """
    Lets `InputReduction` keep the last token of a sentence, as it does where there are no tags.
    """
    replace_method(input_reduction, "_remove_one_token", _patch)
