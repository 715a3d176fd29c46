"""
Caches of word vectors, so the character CNN runs once per distinct word.
"""
