"""
Measures the embedder beside AllenNLP's own class: `make benchmark`, or `python -m benchmarks`.
"""
