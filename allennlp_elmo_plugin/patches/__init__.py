"""
Repairs of AllenNLP 2.10.1 for the PyTorch, Python and wandb of today.

Each module mends one breakage, in place, so that names, signatures, subclasses and
`isinstance` stay as they are. A repair looks first whether it is needed.
"""

from allennlp_elmo_plugin.patches.recover import repair_recover
from allennlp_elmo_plugin.patches.reduce_on_plateau import repair_reduce_on_plateau
from allennlp_elmo_plugin.patches.spawn import repair_spawn
from allennlp_elmo_plugin.patches.wandb_run_id import repair_wandb_run_id

__all__ = [
    "apply_repairs",
    "repair_recover",
    "repair_reduce_on_plateau",
    "repair_spawn",
    "repair_wandb_run_id",
]


def apply_repairs() -> None:
    """
    Apply every repair that is needed here. Calling it again changes nothing.
    """
    repair_recover()
    repair_reduce_on_plateau()
    repair_spawn()
    repair_wandb_run_id()
