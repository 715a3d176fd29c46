"""Tests of the choice of kernels and of its log messages and errors."""

import _ctypes
import ctypes
import logging
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from allennlp_elmo_plugin import ElmoOptions
from allennlp_elmo_plugin.io.locks import Once
from allennlp_elmo_plugin.kernels import (
    abi,
    available_kernels,
    choose_kernels,
    dispatch,
    kernels_for,
    use_kernels,
)
from allennlp_elmo_plugin.network.projected_lstm import ProjectedLstm
from tests.support.kernels import CAPABILITIES
from tests.support.threads import in_threads

needs_kernels = pytest.mark.skipif(not CAPABILITIES, reason="no kernels were compiled here")


def _forget() -> None:
    dispatch._load.cache_clear()
    dispatch._gpu_problem.cache_clear()
    dispatch._new_choice = Once()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Forgets loaded kernels and logged choices before and after each test."""
    monkeypatch.delenv("ALLENNLP_ELMO_KERNELS", raising=False)
    caplog.set_level(logging.INFO, logger=dispatch.__name__)
    _forget()
    yield
    _forget()


@pytest.fixture(name="not_compiled")
def _not_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Simulates an installation without a C compiler."""
    monkeypatch.setattr(dispatch, "LIBRARY", tmp_path / "_compiled.so")


@pytest.fixture(name="damaged")
def _damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the compiled library by a file that cannot be loaded."""
    (tmp_path / "_compiled.so").write_bytes(b"no library")
    monkeypatch.setattr(dispatch, "LIBRARY", tmp_path / "_compiled.so")


def _chosen() -> str:
    kernels = choose_kernels()
    return "plain" if kernels is None else kernels.capability


def _messages(caplog: pytest.LogCaptureFixture) -> List[str]:
    return [record.getMessage() for record in caplog.records if record.name == dispatch.__name__]


def _run() -> torch.Tensor:
    torch.manual_seed(0)
    layer = ProjectedLstm(ElmoOptions(((1, 16),), projection_dim=16, cell_size=32, num_layers=1))
    with torch.no_grad():
        state = (torch.zeros(2, 16), torch.zeros(2, 32))
        outputs, _ = layer(torch.randn(3, 16), torch.tensor([2, 1]), state)
    return outputs


def test_plain_is_always_there() -> None:
    """The available kernels are in a fixed order, and plain PyTorch is the last."""
    every = ["avx512_bf16", "avx512", "avx2", "generic", "plain"]
    available = available_kernels()
    assert available == [capability for capability in every if capability in available]
    assert available[-1] == "plain"


@needs_kernels
def test_generic_kernels_run_wherever_kernels_were_compiled() -> None:
    """Every processor runs the generic kernels."""
    assert "generic" in available_kernels()


def test_the_best_kernels_are_chosen() -> None:
    """The first of the available kernels is chosen."""
    assert _chosen() == available_kernels()[0]


@pytest.mark.parametrize("capability", available_kernels())
def test_kernels_can_be_forced_for_a_while(capability: str) -> None:
    """`use_kernels` forces kernels by name until its block ends."""
    before = _chosen()
    with use_kernels(capability):
        assert _chosen() == capability
    assert _chosen() == before


@needs_kernels
def test_a_forced_choice_belongs_to_its_thread() -> None:
    """Other threads keep their own choice, while one thread forces plain PyTorch."""
    with ThreadPoolExecutor(1) as pool, use_kernels("plain"):
        other = pool.submit(choose_kernels).result()
        assert choose_kernels() is None
    assert other is not None and other.capability == CAPABILITIES[0]


def test_a_choice_is_logged_once_by_threads(caplog: pytest.LogCaptureFixture) -> None:
    """Threads that choose at the same time write one line."""
    in_threads(lambda _: choose_kernels())
    assert caplog.text.count("ELMo runs on") == 1


@pytest.mark.parametrize("capability", available_kernels())
def test_kernels_can_be_forced_by_the_environment(
    capability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment variable forces kernels by name."""
    monkeypatch.setenv("ALLENNLP_ELMO_KERNELS", capability)
    assert _chosen() == capability


def test_an_empty_variable_forces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty environment variable counts as none."""
    monkeypatch.setenv("ALLENNLP_ELMO_KERNELS", "")
    assert _chosen() == available_kernels()[0]


def test_a_block_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`use_kernels` takes precedence over the environment until its block ends."""
    monkeypatch.setenv("ALLENNLP_ELMO_KERNELS", "nothing like it")
    with use_kernels("plain"):
        assert _chosen() == "plain"
    with pytest.raises(ConfigurationError, match="nothing like it"):
        choose_kernels()


def test_blocks_can_be_nested() -> None:
    """The inner of two blocks takes precedence."""
    with use_kernels(available_kernels()[0]):
        with use_kernels("plain"):
            assert _chosen() == "plain"
        assert _chosen() == available_kernels()[0]


def test_a_choice_is_undone_after_an_error() -> None:
    """An error inside the block does not keep the kernels forced."""
    before = _chosen()
    with pytest.raises(ZeroDivisionError), use_kernels("plain"):
        raise ZeroDivisionError
    with pytest.raises(ConfigurationError), use_kernels("nothing like it"):
        choose_kernels()
    assert _chosen() == before


@pytest.mark.parametrize("name", ["nothing like it", "AVX2", "avx", "Plain"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """The error lists the available names."""
    with use_kernels(name), pytest.raises(ConfigurationError) as error:
        choose_kernels()
    assert f"got '{name}'" in str(error.value)
    assert str(available_kernels()) in str(error.value)


@needs_kernels
def test_kernels_of_another_processor_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists the kernels that run here, and names the processor as the reason."""
    found, problem = dispatch._load()
    others = {"generic": found["generic"]}
    monkeypatch.setattr(dispatch, "_load", lambda: (others, problem))
    with use_kernels("avx2"), pytest.raises(ConfigurationError) as error:
        choose_kernels()
    assert "['generic', 'plain'], got 'avx2', which this processor does not run" in str(error.value)
    monkeypatch.undo()


@needs_kernels
def test_without_a_compiled_library_pytorch_runs(
    not_compiled: None, caplog: pytest.LogCaptureFixture
) -> None:
    """PyTorch computes the same as when it is chosen, and the reason is logged once."""
    assert available_kernels() == ["plain"]
    without = [_run(), _run()]
    assert _messages(caplog) == [
        "ELMo runs on plain PyTorch: no kernels were compiled at the installation, "
        "which takes a C compiler."
    ]
    with use_kernels("plain"):
        assert all(torch.equal(outputs, _run()) for outputs in without)


def test_kernels_that_were_not_compiled_are_refused(not_compiled: None) -> None:
    """The error for kernels that were not compiled gives the reason."""
    with use_kernels("generic"), pytest.raises(ConfigurationError) as error:
        choose_kernels()
    assert "['plain'], got 'generic' (no kernels were compiled" in str(error.value)


def test_a_damaged_library_leaves_pytorch(damaged: None, caplog: pytest.LogCaptureFixture) -> None:
    """PyTorch runs if the library cannot be loaded, and the system's message is logged once."""
    assert available_kernels() == ["plain"]
    outputs = [_run(), _run()]
    (message,) = _messages(caplog)
    assert message.startswith("ELMo runs on plain PyTorch: the compiled kernels cannot be loaded (")
    assert "_compiled.so" in message
    with use_kernels("plain"):
        assert all(torch.equal(output, _run()) for output in outputs)


def test_kernels_of_a_damaged_library_are_refused(damaged: None) -> None:
    """The error says that the library cannot be loaded."""
    with use_kernels("avx2"), pytest.raises(ConfigurationError, match="cannot be loaded"):
        choose_kernels()


@pytest.mark.parametrize("forced", [None, *available_kernels()])
def test_a_choice_is_logged_once(forced: Optional[str], caplog: pytest.LogCaptureFixture) -> None:
    """A repeated choice is logged once, with its name and its reason."""
    if forced is None:
        for _ in range(3):
            choose_kernels()
        expected = available_kernels()[0]
    else:
        with use_kernels(forced):
            for _ in range(3):
                choose_kernels()
        expected = forced
    (message,) = _messages(caplog)
    assert ("plain PyTorch" if expected == "plain" else f"'{expected}'") in message
    assert ("asked for by name" in message) is (forced is not None)


@needs_kernels
def test_another_choice_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    """Each of two choices is logged once."""
    for _ in range(2):
        for capability in ("generic", "plain"):
            with use_kernels(capability):
                choose_kernels()
    assert len(_messages(caplog)) == 2


@needs_kernels
def test_too_little_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without working memory raises an error."""
    kernels = dispatch._load()[0]["generic"]
    functions = {name: lambda call: 1 for name in dispatch.ARGUMENTS}
    monkeypatch.setattr(kernels, "_functions", functions)
    with use_kernels("generic"), pytest.raises(MemoryError, match="'lstm_forward'"):
        _run()


def _assert_falls_back(caplog: pytest.LogCaptureFixture, difference: str) -> None:
    """Asserts that PyTorch runs, and that one message names the difference and the remedy."""
    assert available_kernels() == ["plain"]
    outputs = [_run(), _run()]
    (message,) = _messages(caplog)
    assert message.startswith("ELMo runs on plain PyTorch: the compiled kernels are those of anoth")
    assert difference in message
    assert "Install the package again" in message
    with use_kernels("plain"):
        assert all(torch.equal(output, _run()) for output in outputs)


@needs_kernels
@pytest.mark.parametrize("name", ["ABI_VERSION", "GROUP", "PANEL", "INVALID"])
def test_a_library_with_other_constants_is_not_used(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The message gives both values of a constant that differs."""
    value = getattr(abi, name)
    monkeypatch.setattr(abi, name, value + 1)
    _assert_falls_back(caplog, f"({name} is {value}, expected {value + 1})")


@needs_kernels
def test_a_library_with_other_precisions_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python and the library must have the same precisions with the same numbers."""
    monkeypatch.setattr(abi, "PRECISIONS", ("float32", "int8", "float16"))
    _assert_falls_back(
        caplog,
        "(INT8 is 2, expected 1; FLOAT16 is missing, expected 2; BFLOAT16 is 1, expected nothing)",
    )


@needs_kernels
@pytest.mark.parametrize("kernel", list(abi.ARGUMENTS))
def test_a_library_with_other_structures_is_not_used(
    kernel: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The message names a structure that differs and both sizes."""
    size = ctypes.sizeof(abi.ARGUMENTS[kernel])

    class Longer(ctypes.Structure):
        _fields_ = [*abi.ARGUMENTS[kernel]._fields_, ("more", ctypes.c_int64)]

    monkeypatch.setitem(abi.ARGUMENTS, kernel, Longer)
    _assert_falls_back(
        caplog, f"(sizeof(struct {kernel}_arguments) is {size}, expected {size + 8})"
    )


@needs_kernels
def test_a_library_without_a_kernel_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The message names a kernel that an older library lacks."""
    constants = abi.abi_constants()
    monkeypatch.setattr(abi, "abi_constants", lambda: constants)
    monkeypatch.setitem(abi.ARGUMENTS, "attention", abi.LinearArguments)
    _assert_falls_back(caplog, "attention_")


@needs_kernels
def test_a_library_without_constants_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A library that exports no constants is not used."""
    monkeypatch.setattr(dispatch, "LIBRARY", Path(_ctypes.__file__))
    _assert_falls_back(caplog, "abi_constants")


@needs_kernels
def test_kernels_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for kernels of another version names the difference."""
    monkeypatch.setattr(abi, "PANEL", 32)
    with use_kernels("generic"), pytest.raises(ConfigurationError, match="PANEL is 64, expected 3"):
        choose_kernels()


def test_kernels_run_rows_on_the_cpu_in_float32() -> None:
    """Inputs of any dtype run on the kernels, since the caller converts them."""
    kernels = choose_kernels()
    assert kernels_for(torch.ones(1), torch.ones(2, 3), 16, 32) is kernels
    assert kernels_for(torch.ones(1), torch.ones(2, 3, dtype=torch.bfloat16), 16) is kernels
    with use_kernels("plain"):
        assert kernels_for(torch.ones(1), torch.ones(2, 3), 16) is None


@pytest.mark.parametrize(
    "parameter, inputs, sizes",
    [
        (torch.ones(1).double(), torch.ones(2), [16]),
        (torch.ones(1, device="meta"), torch.ones(2), [16]),
        (torch.ones(1), torch.ones(2, device="meta"), [16]),
        (torch.ones(1), torch.ones(0, 3), [16]),
        (torch.ones(1), torch.ones(2), [16, 24]),
    ],
    ids=["double precision", "parameters elsewhere", "inputs elsewhere", "no rows", "odd size"],
)
def test_other_computations_run_in_pytorch(
    parameter: torch.Tensor, inputs: torch.Tensor, sizes: List[int]
) -> None:
    """Other devices, dtypes and sizes have no kernels, and neither have inputs without rows."""
    assert kernels_for(parameter, inputs, *sizes) is None


@pytest.mark.filterwarnings("ignore")
def test_a_trace_runs_in_pytorch() -> None:
    """A trace cannot record kernels, so PyTorch runs while it is made."""
    seen = []

    def traced(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(kernels_for(torch.ones(1), inputs, 16))
        return inputs + 1

    torch.jit.trace(traced, torch.ones(2), check_trace=False)
    assert seen and not any(seen)


def _use_triton(monkeypatch: pytest.MonkeyPatch, installed: Optional[str]) -> None:
    """Simulates a release of Triton, or an installation without it."""

    def version(name: str) -> str:
        assert name == "triton"
        if installed is None:
            raise PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(dispatch, "version", version)


@pytest.mark.parametrize("capability", [(8, 0), (8, 9), (9, 0), (12, 0)])
@pytest.mark.parametrize("installed", ["3.3.0", "3.10.1", "4.0.0+git1234"])
def test_gpus_with_triton_have_kernels(
    monkeypatch: pytest.MonkeyPatch, capability: Tuple[int, int], installed: str
) -> None:
    """Every GPU from compute capability 8.0 on has kernels, with Triton from 3.3 on."""
    _use_triton(monkeypatch, installed)
    assert dispatch._gpu_problem(capability) is None


@pytest.mark.parametrize(
    "capability, installed, reason",
    [
        ((7, 5), "3.6.0", "compute capability 7.5, and the Triton kernels need 8.0"),
        ((9, 0), "3.2.0", "Triton is 3.2.0, and the kernels need 3.3"),
        ((9, 0), None, "Triton is not installed"),
    ],
)
def test_other_gpus_have_a_reason(
    monkeypatch: pytest.MonkeyPatch,
    capability: Tuple[int, int],
    installed: Optional[str],
    reason: str,
) -> None:
    """The reason why PyTorch runs on a GPU names what was found and what is needed."""
    _use_triton(monkeypatch, installed)
    assert reason in str(dispatch._gpu_problem(capability))


def test_gpus_of_other_makers_have_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch for AMD's GPUs calls them 'cuda' as well, but the kernels are for NVIDIA's."""
    _use_triton(monkeypatch, "3.6.0")
    monkeypatch.setattr(torch.version, "hip", "6.4", raising=False)
    assert "NVIDIA" in str(dispatch._gpu_problem((9, 4)))
