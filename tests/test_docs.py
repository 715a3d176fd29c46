"""What the documentation says, run."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Set

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.modules import TokenEmbedder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from allennlp_elmo_plugin import (
    BidirectionalLm,
    BilmCorpusReader,
    BilmEncoder,
    BilmProgress,
    BilmVocabulary,
    CarryState,
    ConlluTaggingReader,
    ElmoCharactersIndexer,
    ElmoTaggerPredictor,
    ElmoTokenEmbedder,
    FixedScalarMix,
    Hdf5ActivationCache,
    InitialState,
    LearnedScalarMix,
    LruWordCache,
    NoWordCache,
    VocabularyWordCache,
    WarmState,
    ZeroState,
)
from tests.support.paths import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
]
TEXTS = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in PAGES}

# The command line's arguments and what AllenNLP or the embedder fills in are no options.
FILLED_IN = {
    "vocab",
    "serialization_dir",
    "kwargs",
    "model",
    "dataset_reader",
    "num_representations",
}
FILLED_IN_FOR_ENCODER = {"options_file", "weight_file", "requires_grad", "word_cache"}
FILLED_IN_FOR_MIX = {"do_layer_norm"}

OPTIONS: Dict[str, Dict[str, Callable]] = {
    "docs/options.md": {
        "elmo_token_embedder": ElmoTokenEmbedder,
        "bilm": BilmEncoder.from_files,
        "carry": CarryState,
        "warm": WarmState,
        "zero": ZeroState,
        "learned": LearnedScalarMix,
        "fixed": FixedScalarMix,
        "lru": LruWordCache,
        "vocabulary": VocabularyWordCache,
        "none": NoWordCache,
        "hdf5": Hdf5ActivationCache,
        "elmo_characters": ElmoCharactersIndexer,
        "conllu_tagging": ConlluTaggingReader,
        "elmo_tagger": ElmoTaggerPredictor,
    },
    "docs/training.md": {
        "bilm_corpus": BilmCorpusReader,
        "bidirectional_lm": BidirectionalLm.from_files,
        "bilm_vocabulary": BilmVocabulary.from_vocabulary_file,
        "bilm_progress": BilmProgress,
    },
}
FILLED_IN_FOR = {
    "bilm": FILLED_IN_FOR_ENCODER,
    "learned": FILLED_IN_FOR_MIX,
    "fixed": FILLED_IN_FOR_MIX,
}


def blocks(language: str) -> List[Any]:
    """Returns the code blocks of all pages, each with the name of its page for its id."""
    found = []
    for page, text in TEXTS.items():
        codes = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        found += [pytest.param(code, id=f"{page}-{i}") for i, code in enumerate(codes)]
    return found


def sections(page: str, name: str) -> List[str]:
    """Returns what stands below each heading that ends in a name as code."""
    below = re.compile(rf"^##+ [^\n]*`{name}`\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
    return below.findall(TEXTS[page])


def named_options(text: str) -> Set[str]:
    """Returns the names in the first column of the tables of a text."""
    return set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


@pytest.fixture
def files_of_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a folder with the files that examples name, and enters it."""
    (tmp_path / "words.txt").write_text("the\nhotel\n", encoding="utf-8")
    (tmp_path / "warm_up.txt").write_text("It rains in Lisbon .\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files_of_examples")
@pytest.mark.parametrize("page", [page for page, text in TEXTS.items() if "```python" in text])
def test_the_python_of_a_page_runs(page: str) -> None:
    """The Python blocks of a page run one after the other, as a reader would run them."""
    registered = dict(InitialState._registry[InitialState])
    names: Dict[str, Any] = {"__name__": "example"}
    try:
        for code in re.findall(r"^```python\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE):
            exec(code, names)
    finally:
        InitialState._registry[InitialState] = registered
    if "vectors" in names:
        assert tuple(names["vectors"].shape) == (1, 6, 256)


@pytest.mark.usefixtures("files_of_examples")
@pytest.mark.parametrize("code", blocks("jsonnet"))
def test_a_config_builds(code: str, tmp_path: Path) -> None:
    """An example is an experiment, a model or an embedder, or some options of an embedder."""
    (tmp_path / "example.jsonnet").write_text(code, encoding="utf-8")
    params = Params.from_file(str(tmp_path / "example.jsonnet"))
    vocab = Vocabulary(tokens_to_add={"labels": ["NOUN", "VERB"], "tokens": ["rain"] * 2000})
    if "model" in params:
        DatasetReader.from_params(params["dataset_reader"])
        assert isinstance(Model.from_params(params["model"], vocab=vocab), Model)
    elif params.get("type") == "bidirectional_lm":
        assert isinstance(Model.from_params(params, vocab=vocab), BidirectionalLm)
    else:
        params["type"] = "elmo_token_embedder"
        for file in ("options_file", "weight_file"):
            params[file] = params.get(file, "pretrained:small")
        assert isinstance(TokenEmbedder.from_params(params, vocab=vocab), ElmoTokenEmbedder)


@pytest.mark.parametrize(
    "page, name, documented",
    [(page, name, cls) for page, classes in OPTIONS.items() for name, cls in classes.items()],
)
def test_a_table_names_every_option(page: str, name: str, documented: Callable) -> None:
    """The table below a component's heading has its options, all of them and no others."""
    options = set(inspect.signature(documented).parameters)
    if inspect.isclass(documented) and documented.__init__ is object.__init__:
        options = set()
    options -= FILLED_IN | FILLED_IN_FOR.get(name, set())
    tables = [named_options(text) for text in sections(page, name)]
    assert tables and all(table == options for table in tables)


@pytest.mark.parametrize("page", TEXTS)
def test_commands_exist(page: str) -> None:
    """Every target of make and every subcommand of allennlp that a page names is there."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^\$ )make ([a-z-]+)", TEXTS[page], re.MULTILINE)
    assert set(named) <= targets
    commands = set(re.findall(r"\ballennlp (elmo-[a-z-]+)", TEXTS[page]))
    assert commands <= set(Subcommand.list_available())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_into_the_repository_lead_somewhere(page: str) -> None:
    """`make docs` checks the links of the pages in docs; these two are read on their own."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXTS[page]):
        if not link.startswith("https://"):
            assert (REPOSITORY / link).exists(), link


def test_figures_agree() -> None:
    """The README quotes the figures of the page on speed, row by row."""
    row = re.compile(r"^\| (2x\d+_\d+) \| `(\w+)` \| ([\d.]+x) \| ([\d.]+x) \|", re.MULTILINE)
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
