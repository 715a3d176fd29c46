"""
Reading CoNLL-U and predicting tags.
"""
