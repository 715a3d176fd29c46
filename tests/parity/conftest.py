"""Every parity test runs twice: with sizes that only PyTorch computes, and with the kernels'."""

from typing import Any

import pytest

from allennlp_elmo_plugin.kernels import available_kernels
from tests.support.elmo_files import elmo_options

SIZES = {
    "plain": {"filters": ((1, 4), (2, 6), (3, 8)), "cell_size": 12, "projection_dim": 8},
    "kernels": {"filters": ((1, 16), (2, 16), (3, 32)), "cell_size": 48, "projection_dim": 16},
}


@pytest.fixture(autouse=True, params=list(SIZES))
def sizes(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Default sizes of a biLM in this test: "plain" or "kernels"."""
    if request.param == "kernels" and available_kernels() == ["plain"]:
        pytest.skip("no kernels were compiled here")
    for name, size in SIZES[request.param].items():
        monkeypatch.setitem(elmo_options.__kwdefaults__, name, size)
    return request.param
