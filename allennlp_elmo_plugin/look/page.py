"""
A page as one HTML file, which needs no other file and no network.
"""

import os
from html import escape
from pathlib import Path
from string import Template
from typing import Iterator, List, Union

from allennlp_elmo_plugin.io.atomic import write_atomically
from allennlp_elmo_plugin.io.counted import counted
from allennlp_elmo_plugin.look.content import Analysis
from allennlp_elmo_plugin.look.figure import COLOURS, MARKERS, make_figure
from allennlp_elmo_plugin.look.page_data import page_data, to_script_json
from allennlp_elmo_plugin.look.plane import MIN_CONTEXTS
from allennlp_elmo_plugin.look.text import ShownText

__all__ = ["page_html", "write_page"]

FOLDER = Path(__file__).parent

NO_SOFTMAX = (
    "This model has no softmax: it gives vectors and no probabilities. So tokens have no surprisal "
    "and no colour, and there are no substitutes."
)


def write_page(analysis: Analysis, path: Union[str, "os.PathLike[str]"]) -> None:
    """
    Writes a page.

    # Parameters

    analysis : `Analysis`
        Everything that the page shows.
    path : `Union[str, PathLike]`
        HTML file to write. It appears when it is complete.

    # Raises

    `ConfigurationError`
        If the page has planes and Bokeh is missing.
    `OSError`
        If the file cannot be written.
    """
    html = page_html(analysis)
    with write_atomically(Path(path)) as partial:
        partial.write_bytes(html.encode("utf-8"))


def page_html(analysis: Analysis) -> str:
    """
    Returns the HTML of a page.

    # Parameters

    analysis : `Analysis`
        Everything that the page shows.

    # Returns

    `str`
        A document with its style, its script, its data and the library that draws.

    # Raises

    `ConfigurationError`
        If the page has planes and Bokeh is missing.
    """
    data = page_data(analysis)
    library = ""
    if analysis.planes:
        figure = make_figure(analysis.text.names)
        data["figure"] = figure.item
        library = _script(figure.script)
    return Template(_read("page.html")).substitute(
        title=escape(" and ".join(analysis.text.names)),
        summary=escape(_summary(analysis)),
        notes="".join(f'<p class="note">{escape(note)}</p>\n' for note in _notes(analysis)),
        text="\n".join(_text(analysis.text)),
        layers="".join(_layers(len(analysis.contexts))),
        words="".join(_words(analysis)),
        views="" if analysis.planes else " hidden",
        legend=" ".join(_legend(analysis.text.names)),
        scored="" if analysis.scores is not None else "unscored",
        style=_read("page.css"),
        library=library,
        data=to_script_json(data),
        script=_script(_read("page.js")),
    )


def _summary(analysis: Analysis) -> str:
    text = analysis.text
    left_out = ""
    if text.num_left_out:
        left_out = (
            f" These are the first ones of the input; {counted(text.num_left_out, 'sentence')} "
            "more did not fit on the page. Neighbours are those on the page."
        )
    return (
        f"{counted(len(text.tokens), 'token')} in {counted(len(text.sentences), 'sentence')}, "
        f"{counted(len(text.words), 'word')}; model {analysis.model}.{left_out}"
    )


def _notes(analysis: Analysis) -> Iterator[str]:
    if analysis.scores is None:
        yield NO_SOFTMAX
    if analysis.projection is not None and not analysis.planes:
        minimum = MIN_CONTEXTS[analysis.projection]
        yield f"No word occurs {minimum} times, so there is no plane of contexts."


def _text(text: ShownText) -> Iterator[str]:
    """Yields the lines of a grid for each period, with a row for each sentence."""
    token, number = 0, 0
    for name, period in zip(text.names, text.periods):
        yield f"<h2>{escape(name)}</h2>"
        yield f'<div role="grid" aria-label="{escape(name)}" aria-readonly="true">'
        for sentence in period:
            number += 1
            cells = [
                f'<span role="gridcell" tabindex="-1" id="t{token + place}">{escape(word)}</span>'
                for place, word in enumerate(sentence)
            ]
            token += len(sentence)
            yield (
                f'<div role="row" dir="auto"><span role="rowheader">{number}</span> '
                f"{' '.join(cells)}</div>"
            )
        yield "</div>"


def _layers(num_layers: int) -> List[str]:
    labels = ["0, the word alone"] + [str(layer) for layer in range(1, num_layers)]
    return [
        f'<option value="{layer}"{" selected" if layer == num_layers - 1 else ""}>{label}</option>'
        for layer, label in enumerate(labels)
    ]


def _words(analysis: Analysis) -> Iterator[str]:
    for word, planes in analysis.planes.items():
        number = analysis.text.words.index(word)
        yield f'<option value="{number}">{escape(word)} ({len(planes[0].points)})</option>'


def _legend(names: List[str]) -> Iterator[str]:
    for name, marker, colour in zip(names, MARKERS.values(), COLOURS):
        yield f'<span class="marker" style="color: {colour}">{marker}</span> {escape(name)}.'


def _script(code: str) -> str:
    # These would end the script or begin a comment. They stand in strings, where both are equal.
    code = code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"<script>\n{code}\n</script>"


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
