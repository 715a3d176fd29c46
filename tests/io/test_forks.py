"""Child processes of a process that has run a biLM."""

import subprocess
import sys

from tests.support.forks import needs_fork
from tests.support.paths import REPOSITORY

EMBED_BEFORE_AND_AFTER_A_FORK = """
import warnings
import torch
from allennlp_elmo_plugin import ElmoTokenEmbedder, spell_sentences
from allennlp_elmo_plugin.kernels import available_kernels, use_kernels
from tests.support.forks import succeeds_in_fork

warnings.simplefilter("ignore")
torch.set_num_threads(2)
embedder = ElmoTokenEmbedder("pretrained:small", "pretrained:small").eval()
character_ids = spell_sentences([["It", "rains", "in", "Lisbon", "."]] * 20)

def embed():
    with torch.no_grad(), use_kernels(kernels):
        embedder(character_ids)

def multiply():
    matrix = torch.ones(500, 500)
    return (matrix @ matrix).sum().item()

for kernels in {available_kernels()[0], "plain"}:
    embed()
    multiply()
    assert succeeds_in_fork(embed), f"a child on the kernels '{kernels}' failed or hung"
    assert succeeds_in_fork(multiply), "a child that multiplies failed or hung"
assert torch.get_num_threads() == 2
"""


@needs_fork
def test_a_child_goes_on_where_its_parent_ran_on_threads() -> None:
    """A child embeds or multiplies after its parent did on two threads, which keeps both."""
    subprocess.run(
        [sys.executable, "-c", EMBED_BEFORE_AND_AFTER_A_FORK], cwd=REPOSITORY, check=True
    )
