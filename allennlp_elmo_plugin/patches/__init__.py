"""
Repairs of AllenNLP 2.10.1 for the PyTorch, Python and wandb of today.

Each module mends one breakage, in place, so that names, signatures, subclasses and
`isinstance` stay as they are. A repair looks first whether it is needed.
"""

from allennlp_elmo_plugin.patches.recover import patch_recover
from allennlp_elmo_plugin.patches.reduce_on_plateau import patch_reduce_on_plateau
from allennlp_elmo_plugin.patches.spawn import patch_spawn
from allennlp_elmo_plugin.patches.wandb_run_id import patch_wandb_run_id

__all__ = [
    "apply_patches",
    "patch_recover",
    "patch_reduce_on_plateau",
    "patch_spawn",
    "patch_wandb_run_id",
]


def apply_patches() -> None:
    """
    Apply every repair that is needed here. Calling it again changes nothing.
    """
    patch_recover()
    patch_reduce_on_plateau()
    patch_spawn()
    patch_wandb_run_id()
