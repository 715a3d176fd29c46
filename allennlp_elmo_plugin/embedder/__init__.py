"""
The token embedder, its indexer and the components that a config builds it from.
"""
