"""
Caches of the layers of whole sentences: the registered components and the store on disk.
"""
