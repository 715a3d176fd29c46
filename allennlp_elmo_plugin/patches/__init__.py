"""
Patches that let AllenNLP 2.10.1 run with today's PyTorch, Python and wandb, and interpret ELMo.

Each module mends one fault by replacing methods in place; `move_to_device` was only slow. Class
names, signatures, subclasses and `isinstance` checks stay as they are. A patch of what fails checks
first whether it is needed. `rename_builtin` and `redirect_from_params` alone put other classes in
place: those of the plugin.
"""

from allennlp_elmo_plugin.patches.builtin_classes import redirect_from_params, rename_builtin
from allennlp_elmo_plugin.patches.checkpoints import patch_checkpoints
from allennlp_elmo_plugin.patches.downloads import patch_downloads
from allennlp_elmo_plugin.patches.extraction import patch_extraction
from allennlp_elmo_plugin.patches.get_gradients import patch_get_gradients
from allennlp_elmo_plugin.patches.input_reduction import patch_input_reduction
from allennlp_elmo_plugin.patches.machines import patch_machines
from allennlp_elmo_plugin.patches.move_to_device import patch_move_to_device
from allennlp_elmo_plugin.patches.recover import patch_recover
from allennlp_elmo_plugin.patches.reduce_on_plateau import patch_reduce_on_plateau
from allennlp_elmo_plugin.patches.serialization_dir import patch_serialization_dir
from allennlp_elmo_plugin.patches.spawn import patch_spawn
from allennlp_elmo_plugin.patches.torch_files import patch_torch_files
from allennlp_elmo_plugin.patches.wandb_run_id import patch_wandb_run_id
from allennlp_elmo_plugin.patches.whole_files import patch_whole_files

__all__ = [
    "apply_patches",
    "patch_checkpoints",
    "patch_downloads",
    "patch_extraction",
    "patch_get_gradients",
    "patch_input_reduction",
    "patch_machines",
    "patch_move_to_device",
    "patch_recover",
    "patch_reduce_on_plateau",
    "patch_serialization_dir",
    "patch_spawn",
    "patch_torch_files",
    "patch_wandb_run_id",
    "patch_whole_files",
    "redirect_from_params",
    "rename_builtin",
]


def apply_patches() -> None:
    """
    Applies every patch that this environment needs. A second call changes nothing.
    """
    patch_checkpoints()
    patch_downloads()
    patch_extraction()
    patch_get_gradients()
    patch_input_reduction()
    patch_machines()
    patch_move_to_device()
    patch_recover()
    patch_reduce_on_plateau()
    patch_serialization_dir()
    patch_spawn()
    patch_torch_files()
    patch_wandb_run_id()
    patch_whole_files()
