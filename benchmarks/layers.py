"""
Throughput of embedders that read one layer of a biLM instead of all.
"""

from functools import partial
from typing import Any, Dict, List

import torch
from allennlp.modules import TokenEmbedder

from allennlp_elmo_plugin import LruWordCache
from benchmarks.report import Section, Table, times
from benchmarks.sentences import in_batches
from benchmarks.settings import Settings
from benchmarks.sides import ALLENNLP, build_embedder, character_ids, forget_state
from benchmarks.timing import interleaved_medians

__all__ = ["measure_layers"]

BATCH_SIZE = 32
BATCHES = 4
PLUGIN = "float32"
# AllenNLP's users write layer 1 of 0 to 2 like this; the plugin's `fixed` mix takes `layers: 1`.
LAYER_1 = [-9e10, 1.0, -9e10]
THEIRS, OURS, OURS_ALL = f"{ALLENNLP}, layer 1", "plugin, layer 1", "plugin, all layers"


def measure_layers(settings: Settings) -> Section:
    """
    Times embedders that read layer 1 alone, and the plugin's that reads all layers, interleaved.

    A fixed scalar mix picks layer 1; the plugin's other embedder has the learned mix. All embed the
    same batches of 32 sentences, without gradients. The plugin's embedders have their default word
    cache, `lru`, which holds all words.

    # Parameters

    settings : `Settings`
        Models, sentences and workload of the run.

    # Returns

    `Section`
        Throughput, and agreement of the plugin's layer 1 with AllenNLP's, for each shape in
        float32.
    """
    batches = in_batches(settings.sentences, BATCH_SIZE, BATCHES)
    tokens = sum(len(words) for batch in batches for words in batch)
    ids = [character_ids(batch) for batch in batches]
    rows: List[Dict[str, Any]] = []
    for shape, folder in settings.models.items():
        embedders = {
            THEIRS: build_embedder(ALLENNLP, folder, scalar_mix_parameters=LAYER_1).eval(),
            OURS: build_embedder(PLUGIN, folder, False, LAYER_1, LruWordCache()).eval(),
            OURS_ALL: build_embedder(PLUGIN, folder, False, None, LruWordCache()).eval(),
        }
        vectors = {side: _embed(embedder, ids) for side, embedder in embedders.items()}
        tasks = {side: partial(_embed, embedder, ids) for side, embedder in embedders.items()}
        seconds = interleaved_medians(tasks, settings.rounds)
        rows.append(
            {
                "shape": shape,
                "batch": BATCH_SIZE,
                "tokens": tokens,
                "seconds": seconds[OURS],
                "all_layers_seconds": seconds[OURS_ALL],
                "allennlp_seconds": seconds[THEIRS],
                "ratio": seconds[THEIRS] / seconds[OURS],
                "all_layers_ratio": seconds[OURS_ALL] / seconds[OURS],
                "largest_difference": max(
                    float((ours - theirs).abs().max())
                    for ours, theirs in zip(vectors[OURS], vectors[THEIRS])
                ),
            }
        )
    table = Table(
        f"Layer 1 of 2 alone, in float32, batches of {BATCH_SIZE}: tokens per second; speed as a\n"
        "multiple of all layers' and of AllenNLP's layer 1; largest difference from the latter",
        ("shape", THEIRS, OURS_ALL, OURS, "to all", "to AllenNLP", "agreement"),
        [
            (
                row["shape"],
                *(
                    f"{tokens / row[key]:.0f}"
                    for key in ("allennlp_seconds", "all_layers_seconds", "seconds")
                ),
                times(row["all_layers_ratio"]),
                times(row["ratio"]),
                f"{row['largest_difference']:.1e}",
            )
            for row in rows
        ],
    )
    return Section({"layers": rows}, [table])


def _embed(embedder: TokenEmbedder, batches: List[torch.Tensor]) -> List[torch.Tensor]:
    # All sides and rounds start from zeros, so that they compute the same.
    forget_state(embedder)
    with torch.no_grad():
        return [embedder(batch) for batch in batches]
