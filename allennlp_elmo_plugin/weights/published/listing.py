"""
Tables and descriptions of published biLMs, as text.
"""

import os
from textwrap import fill
from typing import Iterator, List, Tuple

from allennlp.common import file_utils
from allennlp.common.util import format_size

from allennlp_elmo_plugin.weights.published.catalogue import (
    PUBLISHED,
    PublishedModel,
    find_model,
    published_models,
)
from allennlp_elmo_plugin.weights.published.download import cached_copies

__all__ = ["describe_model", "list_models"]

WIDTH = 100
COLUMNS = {"name": 15, "language": 19, "size": 10, "cached": 7}
"""Widths of the columns before the last one."""
INDENT = 13
MANY_LANGS = "ELMoForManyLangs"
NOT_KNOWN = "not known"
PATH_BY_HAND = "PATH"
"""Stands in examples for where the user puts a model that cannot be downloaded."""


def list_models(search: str = "") -> str:
    """
    Lists the published biLMs in a table.

    # Parameters

    search : `str`, optional (default = `""`)
        Text that the name, a language or the description must contain.

    # Returns

    `str`
        One line for each biLM, of at most 100 columns, between a heading and a summary.
    """
    models = [model for model in published_models().values() if _contains(model, search.lower())]
    cached = {model.name: _cached_size(model) for model in models}
    rows = [_row(*COLUMNS, "trained on")]
    rows += [
        _row(
            model.name,
            ", ".join(model.languages),
            model.size or "",
            cached[model.name] or ("" if model.addresses else "by hand"),
            model.description,
        )
        for model in models
    ]
    num_cached = sum(map(bool, cached.values()))
    return "\n".join(rows) + (
        f"\n\n{len(models)} of {len(published_models())} published biLMs; {num_cached} are "
        f"in the cache, {file_utils.CACHE_DIRECTORY}.\nUse one as {PUBLISHED}NAME. "
        "Size: layers x cells/output of each direction."
    )


def describe_model(name: str) -> str:
    """
    Describes a published biLM, and how to use it.

    # Parameters

    name : `str`
        Its name.

    # Returns

    `str`
        Several lines.

    # Raises

    `ConfigurationError`
        If there is none of that name.
    """
    model = find_model(name)
    lines = [f"{PUBLISHED}{model.name}: {model.description}", ""]
    for title, texts in _facts(model):
        lines += [_fact(title if i == 0 else "", text) for i, text in enumerate(texts)]
    return "\n".join([*lines, *_usage(model)])


def _usage(model: PublishedModel) -> List[str]:
    name = f"{PUBLISHED}{model.name}" if model.addresses else PATH_BY_HAND
    files = f"options_file: '{name}', weight_file: '{name}'"
    lines = [
        "",
        "In the command:",
        f"  allennlp elmo INPUT OUTPUT --model {name}",
        "In a config:",
        "  type: 'elmo_token_embedder',",
        f"  {files}",
    ]
    if model.format == MANY_LANGS:
        lines += ["and the indexer, which needs its dictionary:", "  type: 'elmo_characters',"]
        lines += [f"  {files}"]
    return lines


def _facts(model: PublishedModel) -> Iterator[Tuple[str, List[str]]]:
    yield "languages", [", ".join(model.languages)]
    yield "format", [model.format]
    yield "size", [_size(model)]
    yield "download", [f"about {model.megabytes} MB" if model.megabytes else "size not known"]
    yield "addresses", [url for at in model.addresses for url in at.values()]
    yield "by hand", [model.by_hand] if model.by_hand else []
    yield "MD5", [f"{part} {digest}" for part, digest in model.md5.items()] or [NOT_KNOWN]
    yield "licence", [model.licence or NOT_KNOWN]
    yield "citation", [model.citation or NOT_KNOWN]
    yield "source", [model.source]
    yield "cached", [str(path) for path in cached_copies(model)] or ["not yet"]


def _fact(title: str, text: str) -> str:
    first = f"{title:<{INDENT}}"
    # Addresses and paths are copied: they stay in one piece.
    if " " not in text:
        return first + text
    return fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _size(model: PublishedModel) -> str:
    if model.size is None:
        return NOT_KNOWN
    layers, cells, output = model.size.replace("x", "/").split("/")
    text = f"{layers} layers of {cells} cells, {output} numbers for each direction"
    return f"{text}; {model.parameters} parameters" if model.parameters else text


def _contains(model: PublishedModel, search: str) -> bool:
    facts = (model.name, model.description, model.format, *model.languages)
    return any(search in fact.lower() for fact in facts)


def _cached_size(model: PublishedModel) -> str:
    copies = cached_copies(model)
    return format_size(sum(os.path.getsize(path) for path in copies)) if copies else ""


def _row(*texts: str) -> str:
    *columns, last = texts
    cells = (f"{text[:width]:<{width}} " for text, width in zip(columns, COLUMNS.values()))
    return "".join(cells) + last
