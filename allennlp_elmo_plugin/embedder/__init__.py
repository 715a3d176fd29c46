"""
What a config names: the token embedder, its indexer and the components that it is built from.
"""
