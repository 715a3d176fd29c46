"""
Benchmarks of the plugin beside AllenNLP's own classes.

`make benchmark` or `python -m benchmarks` measures everything but tagging, which has a command of
its own: `python -m benchmarks.tagging`.
"""
