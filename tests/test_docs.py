"""The documentation agrees with the code: its examples run, and its tables name every option."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple, Type

import numpy
import pyarrow
import pytest
import torch
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params, Registrable
from allennlp.data import DatasetReader, TokenIndexer, Vocabulary
from allennlp.models import Model
from allennlp.models.archival import archive_model
from allennlp.modules import TokenEmbedder
from allennlp.predictors import Predictor
from allennlp.training import TrainerCallback
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pyarrow import parquet

import allennlp_elmo_plugin
from allennlp_elmo_plugin import (
    ActivationCache,
    BidirectionalLm,
    BilmEncoder,
    Elmo,
    ElmoBilm,
    ElmoEncoder,
    ElmoTokenEmbedder,
    InitialState,
    ScalarMix,
    VocabularyWordCache,
    WarmState,
    WordCache,
    spell_sentences,
)
from allennlp_elmo_plugin.extraction.distributed.reports import RECEIPTS, receipts_to_parquet
from allennlp_elmo_plugin.weights.published.catalogue import PUBLISHED, published_models
from tests.extraction.distributed.receipts import receipt
from tests.support.examples import elmo_parser, run_console, run_python
from tests.support.many_langs_files import write_many_langs
from tests.support.paths import REPOSITORY

DOCS = REPOSITORY / "docs"
CODE = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
]
TEXTS = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in PAGES}

# AllenNLP fills these in, or the embedder does for its components: a config does not set them.
FILLED_IN = {
    "args",
    "dataset_reader",
    "kwargs",
    "model",
    "num_representations",
    "serialization_dir",
    "vocab",
}
FILLED_IN_BY_EMBEDDER = {
    "bilm": {"options_file", "weight_file", "requires_grad", "word_cache"},
    "fixed": {"do_layer_norm"},
    "learned": {"do_layer_norm"},
}

# Registered classes besides the components, by the page that describes their options.
OTHERS: Dict[str, List[Tuple[Type[Registrable], str]]] = {
    "docs/options.md": [
        (TokenEmbedder, "elmo_token_embedder"),
        (TokenIndexer, "elmo_characters"),
        (DatasetReader, "conllu_tagging"),
        (Predictor, "elmo_tagger"),
    ],
    "docs/training.md": [
        (DatasetReader, "bilm_corpus"),
        (Model, "bidirectional_lm"),
        (Vocabulary, "bilm_vocabulary"),
        (TrainerCallback, "bilm_progress"),
    ],
}


def described() -> List[Tuple[str, Type[Registrable], str]]:
    """Returns page, base class and name of all that has options, every component included."""
    found: List[Tuple[str, Type[Registrable], str]] = []
    for base in (ElmoEncoder, InitialState, ScalarMix, WordCache, ActivationCache):
        for name in base.list_available():
            # Other tests may register components of their own.
            if base.by_name(name).__module__.startswith(allennlp_elmo_plugin.__name__):
                found.append(("docs/options.md", base, name))
    return found + [(page, *entry) for page, entries in OTHERS.items() for entry in entries]


def blocks(page: str, language: str) -> List[str]:
    """Returns the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE)


def run_examples(page: str) -> Dict[str, Any]:
    """Runs the Python and the `allennlp elmo` of a page in their order, and returns the names."""
    registered = dict(InitialState._registry[InitialState])
    num_threads = torch.get_num_threads()
    names: Dict[str, Any] = {"__name__": "example"}
    try:
        for language, code in CODE.findall(TEXTS[page]):
            if language == "python":
                run_python(code, names)
            else:
                run_console(code)
    finally:
        InitialState._registry[InitialState] = registered
        torch.set_num_threads(num_threads)
    return names


def sections(page: str, name: str) -> List[str]:
    """Returns what stands below each heading that ends in a name as code."""
    below = re.compile(rf"^##+ [^\n]*`{name}`\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
    return below.findall(TEXTS[page])


def named_options(text: str) -> Set[str]:
    """Returns the names in the first column of the tables of a text."""
    return set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive of the tagger in docs/getting-started.md, which nobody has trained."""
    folder = tmp_path_factory.mktemp("tagger")
    experiment = blocks("docs/getting-started.md", "jsonnet")[0]
    (folder / "config.json").write_text(experiment, encoding="utf-8")
    params = Params.from_file(str(folder / "config.json"))
    params.to_file(str(folder / "config.json"))
    vocab = Vocabulary(tokens_to_add={"labels": ["NOUN", "VERB"]})
    vocab.save_to_files(str(folder / "vocabulary"))
    model = Model.from_params(params["model"], vocab=vocab)
    torch.save(model.state_dict(), folder / "weights.th")
    archive_model(folder, weights="weights.th")
    return folder / "model.tar.gz"


def write_parts(folder: Path, vectors: List[numpy.ndarray]) -> None:
    """Writes what two shards of one sentence each would leave, and their receipts."""
    folder.mkdir()
    sentences = [["It", "rains", "in", "Lisbon", "today", "."], ["Yes", "."]]
    for number, (tokens, array) in enumerate(zip(sentences, vectors)):
        row = {"id": [f"a.txt:{number}"], "tokens": [tokens], "vectors": [array.tolist()]}
        parquet.write_table(pyarrow.table(row), str(folder / f"part-{number:06}.parquet"))
    receipts = receipts_to_parquet([receipt(number) for number in range(2)])
    (folder / RECEIPTS).write_bytes(receipts)


@pytest.fixture
def files_of_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path) -> None:
    """Makes a folder with the files that examples name, and enters it."""
    (tmp_path / "output" / "tagger").mkdir(parents=True)
    (tmp_path / "output" / "tagger" / "model.tar.gz").symlink_to(archive)
    (tmp_path / "words.txt").write_text("the\nhotel\n", encoding="utf-8")
    for name in ("warm_up.txt", "corpus.txt"):
        (tmp_path / name).write_text("It rains in Lisbon .\nYes .\n", encoding="utf-8")
    (tmp_path / "training_configs").symlink_to(REPOSITORY / "training_configs")
    write_many_langs(tmp_path / "catalan")
    (tmp_path / "run").symlink_to(REPOSITORY / "tests" / "fixtures" / "tensorflow" / "trained")
    write_parts(tmp_path / "vectors", [numpy.zeros((6, 4)), numpy.zeros((2, 4))])
    write_parts(tmp_path / "means", [numpy.zeros(4), numpy.zeros(4)])
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files_of_examples")
@pytest.mark.parametrize(
    "page", [page for page in TEXTS if blocks(page, "python") or "allennlp elmo " in TEXTS[page]]
)
def test_the_examples_of_a_page_run(page: str) -> None:
    """Python and `allennlp elmo` run one after the other, and give what the page says."""
    vectors = run_examples(page).get("vectors")
    if isinstance(vectors, torch.Tensor):
        assert tuple(vectors.shape) == (1, 6, 256)


def test_the_example_of_an_initial_state_works() -> None:
    """The class that CONTRIBUTING.md adds starts sentences, and is trained with the model."""
    initial_state = run_examples("CONTRIBUTING.md")["LearnedState"]()
    bilm = ElmoBilm.from_files("pretrained:small", "pretrained:small")
    embedder = ElmoTokenEmbedder.from_parts(BilmEncoder(bilm, initial_state))
    embedder(spell_sentences([["It", "rains", "."], ["Yes"]])).sum().backward()
    assert initial_state.hidden.grad is not None
    assert initial_state.hidden.grad.abs().sum() > 0


def test_parts_make_the_embedder_of_a_config() -> None:
    """Objects and a config that say the same give the same vectors."""
    words = ["", "It", "rains"]
    bilm = ElmoBilm.from_files("pretrained:small", "pretrained:small", precision="float32")
    encoder = BilmEncoder(
        bilm,
        initial_state=WarmState(),
        word_cache=VocabularyWordCache(words),
        requires_grad=False,
    )
    built = ElmoTokenEmbedder.from_parts(
        encoder,
        scalar_mix=None,
        activation_cache=None,
        dropout=0.5,
        projection_dim=None,
        keep_sentence_boundaries=True,
    )
    config = {
        "type": "elmo_token_embedder",
        "options_file": "pretrained:small",
        "weight_file": "pretrained:small",
        "encoder": {"type": "bilm", "initial_state": {"type": "warm"}},
        "word_cache": {"type": "vocabulary", "words": words},
        "keep_sentence_boundaries": True,
    }
    read = TokenEmbedder.from_params(Params(config))
    character_ids = spell_sentences([["It", "rains", "."], ["Yes"]])
    assert torch.equal(built.eval()(character_ids), read.eval()(character_ids))


@pytest.mark.usefixtures("files_of_examples")
@pytest.mark.parametrize("page, code", [(p, code) for p in TEXTS for code in blocks(p, "jsonnet")])
def test_a_config_builds(page: str, code: str, tmp_path: Path) -> None:
    """An example is an experiment, a model, an `Elmo` or an embedder, or options of an embedder."""
    (tmp_path / "example.jsonnet").write_text(code, encoding="utf-8")
    params = Params.from_file(str(tmp_path / "example.jsonnet"))
    vocab = Vocabulary(tokens_to_add={"labels": ["NOUN", "VERB"], "tokens": ["rain"] * 2000})
    if "model" in params:
        DatasetReader.from_params(params["dataset_reader"])
        assert isinstance(Model.from_params(params["model"], vocab=vocab), Model)
    elif params.get("type") == "bidirectional_lm":
        assert isinstance(Model.from_params(params, vocab=vocab), BidirectionalLm)
    elif "num_output_representations" in params:
        assert isinstance(Elmo.from_params(params, vocab=vocab), Elmo)
    else:
        params["type"] = "elmo_token_embedder"
        for file in ("options_file", "weight_file"):
            params[file] = params.get(file, "pretrained:small")
        assert isinstance(TokenEmbedder.from_params(params, vocab=vocab), ElmoTokenEmbedder)


@pytest.mark.parametrize("page, base, name", described())
def test_a_table_names_every_option(page: str, base: Type[Registrable], name: str) -> None:
    """The table below a component's heading has its options, all of them and no others."""
    cls, constructor = base.resolve_class_name(name)
    builds = getattr(cls, constructor) if constructor else cls
    options = set(inspect.signature(builds).parameters)
    options -= FILLED_IN | FILLED_IN_BY_EMBEDDER.get(name, set())
    tables = [named_options(text) for text in sections(page, name)]
    assert tables and all(table == options for table in tables)


def test_the_section_of_a_model_has_the_options_of_the_embedder() -> None:
    """The options of an `Elmo` are those of the token embedder and of its table."""
    section, embedder = (
        set(inspect.signature(cls).parameters) for cls in (Elmo, ElmoTokenEmbedder)
    )
    (table,) = [named_options(text) for text in sections("docs/options.md", "elmo")]
    assert table == {"num_output_representations"}
    assert section - {"module"} == embedder - {"projection_dim"} | table


@pytest.mark.parametrize("page", TEXTS)
def test_commands_exist(page: str) -> None:
    """Every target of make and every subcommand of allennlp that a page names is there."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^\$ )make ([a-z-]+)", TEXTS[page], re.MULTILINE)
    assert set(named) <= targets
    commands = set(re.findall(r"\ballennlp (elmo-[a-z-]+)", TEXTS[page]))
    assert commands <= set(Subcommand.list_available())


@pytest.mark.parametrize("page", TEXTS)
def test_published_models_exist(page: str) -> None:
    """Every published model that a page names is in the list."""
    names = re.findall(rf"\b{PUBLISHED}([a-z0-9][a-z0-9.-]*[a-z0-9])", TEXTS[page])
    if page == "docs/models.md":
        table = TEXTS[page].partition("| you have | take |")[2].partition("\n\n")[0]
        names += re.findall(r"`([a-z0-9.-]+)`", table)
    assert set(names) <= set(published_models())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_into_the_repository_lead_somewhere(page: str) -> None:
    """`make docs` checks the links of the pages in docs; these two are read on their own."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXTS[page]):
        if not link.startswith("https://"):
            assert (REPOSITORY / link).exists(), link


def test_the_page_of_the_command_has_all_options() -> None:
    """The table of options names each option of `allennlp elmo`, and no others."""
    table = TEXTS["docs/command-line.md"].partition("## All options")[2]
    named = set(re.findall(r"--[a-z-]+", " ".join(re.findall(r"^\| (`--.*?) \|", table, re.M))))
    _, parser = elmo_parser()
    options = {option for action in parser._actions for option in action.option_strings}
    assert named == options - {"-h", "--help", "--vocab-path"}


def test_figures_agree() -> None:
    """The README quotes the figures of the page on speed, row by row."""
    row = re.compile(r"^ *\| (2x\d+_\d+) \| `(\w+)` \| ([\d.]+x) \| ([\d.]+x) \|", re.MULTILINE)
    quoted, full = set(row.findall(TEXTS["README.md"])), set(row.findall(TEXTS["docs/speed.md"]))
    assert quoted and quoted <= full


def test_tools_are_locked() -> None:
    """The lock of the documentation's tools has what `docs.in` asks for, and names no host."""
    folder = REPOSITORY / "requirements"
    lock = (folder / "docs.txt").read_text(encoding="utf-8").splitlines()
    locked = {Requirement(line).name for line in lock if not line.startswith("#")}
    wanted = (folder / "docs.in").read_text(encoding="utf-8").splitlines()
    names = {canonicalize_name(line) for line in wanted if line and not line.startswith("#")}
    assert names <= locked
    allowed = re.compile(r"(#.*|[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-zA-Z0-9_.*<>!=' ()]+)?)")
    assert [line for line in lock if not allowed.fullmatch(line)] == []


def test_docstrings_become_definition_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The headings of a docstring become titles, its entries lists, and its code stays code."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from docstrings import summary, to_markdown

    sys.modules.pop("docstrings")
    docstring = (
        "Returns the sum. It is exact.\n\n```python\n# A comment\nadd(1, 2)\n```\n\n"
        "# Parameters\n\n"
        "a, b : `int`, optional (default = `0`)\n    A number.\n    Any.\nc : `int`\n\n"
        "# Returns\n\n`int`\n    Their sum."
    )
    assert summary(docstring) == "Returns the sum."
    markdown = to_markdown(docstring)
    assert "# A comment" in markdown
    assert "```{rubric} Parameters\n```" in markdown
    assert "**`a`**, **`b`** : `int`, optional (default = `0`)\n: A number.\n  Any." in markdown
    assert "**`c`** : `int`\n: &nbsp;" in markdown
    assert markdown.endswith("`int`\n: Their sum.")
