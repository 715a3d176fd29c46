"""
Files of vectors, one module for each format.
"""
