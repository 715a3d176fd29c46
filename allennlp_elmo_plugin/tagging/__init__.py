"""
Tagging: a reader for CoNLL-U files and a predictor for taggers.
"""
