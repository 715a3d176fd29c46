"""The weight table: which HDF5 dataset holds which parameter."""

from dataclasses import replace
from typing import Any, Dict, Tuple

import numpy
import pytest
from allennlp.modules.elmo import _ElmoBiLm
from hypothesis import given, settings
from hypothesis import strategies as st

from allennlp_elmo_plugin import ElmoBilm, ElmoOptions
from allennlp_elmo_plugin.weights import parameter_names
from allennlp_elmo_plugin.weights.weight_table import WeightRow, weight_table
from tests.support.elmo_files import elmo_arrays, elmo_options, write_elmo_files

SMALL = st.integers(min_value=1, max_value=5)

OPTIONS = st.builds(
    ElmoOptions,
    filters=st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=3).map(tuple),
    projection_dim=SMALL,
    cell_size=SMALL,
    num_layers=st.integers(min_value=1, max_value=3),
    char_embedding_dim=SMALL,
    num_highways=st.integers(min_value=0, max_value=2),
)

EXAMPLES: Dict[str, Dict[str, Any]] = {
    "published kind": {},
    "one layer, no highway": {"n_layers": 1, "n_highway": 0},
    "three layers, two highways": {"n_layers": 3, "n_highway": 2, "filters": [(1, 4), (3, 5)]},
}


def _without_needless_projections(options: ElmoOptions) -> ElmoOptions:
    """Omits the projections between equal sizes, as bilm-tf does."""
    return replace(
        options,
        state_projection=options.cell_size != options.projection_dim,
        word_projection=options.num_filters != options.projection_dim,
    )


ALL_OPTIONS = OPTIONS | OPTIONS.map(_without_needless_projections)


def _random_datasets(row: WeightRow) -> Tuple[numpy.ndarray, ...]:
    """Multiples of 1/256, to which 1 can be added without rounding."""
    random = numpy.random.RandomState(0)
    return tuple(
        (random.randint(-999, 999, dataset.shape) / 256).astype("float32")
        for dataset in row.datasets
    )


@settings(deadline=None)
@given(ALL_OPTIONS)
def test_every_dataset_and_parameter_appears_once(options: ElmoOptions) -> None:
    """No two rows share a dataset or a parameter."""
    rows = weight_table(options)
    for names in (
        [dataset.name for row in rows for dataset in row.datasets],
        [name for row in rows for name in row.parameters],
    ):
        assert len(names) == len(set(names))


@settings(deadline=None, max_examples=30)
@given(ALL_OPTIONS)
def test_the_parameters_are_those_of_the_network(options: ElmoOptions) -> None:
    """The datasets' shapes give every parameter of `ElmoBilm` exactly its shape."""
    shapes = {
        name: array.shape
        for row in weight_table(options)
        for name, array in row.to_parameters(list(_random_datasets(row))).items()
    }
    expected = {name: tuple(value.shape) for name, value in ElmoBilm(options).state_dict().items()}
    assert shapes == expected


@settings(deadline=None)
@given(ALL_OPTIONS)
def test_datasets_survive_the_round_trip(options: ElmoOptions) -> None:
    """Each row turns its datasets into parameters and back without changing shape or numbers."""
    for row in weight_table(options):
        datasets = _random_datasets(row)
        restored = row.to_datasets(row.to_parameters(list(datasets)))
        assert [array.shape for array in restored] == [spec.shape for spec in row.datasets]
        assert all(map(numpy.array_equal, restored, datasets))


@pytest.mark.parametrize("example", list(EXAMPLES))
def test_the_datasets_are_those_of_a_file(example: str) -> None:
    """The names and shapes equal those of a file that was written without the table."""
    options = elmo_options(**EXAMPLES[example])
    specs = [spec for row in weight_table(ElmoOptions.from_dict(options)) for spec in row.datasets]
    expected = {name: array.shape for name, array in elmo_arrays(options).items()}
    assert {spec.name: spec.shape for spec in specs} == expected


@pytest.mark.parametrize("example", list(EXAMPLES))
def test_the_parameters_are_those_of_allennlps_state_dict(example: str, tmp_path: Any) -> None:
    """The table has exactly the keys of `_ElmoBiLm`'s state dict, and the arrays are equal."""
    options = elmo_options(**EXAMPLES[example])
    files = write_elmo_files(tmp_path, options)
    builtin = _ElmoBiLm(*files).state_dict()
    assert set(parameter_names(ElmoOptions.from_dict(options))) == set(builtin)
    arrays = elmo_arrays(options)
    for row in weight_table(ElmoOptions.from_dict(options)):
        parameters = row.to_parameters([arrays[dataset.name] for dataset in row.datasets])
        for name in row.parameters:
            assert numpy.array_equal(parameters[name], builtin[name].numpy()), name
