"""
Minimal pairs: which of two sentences a biLM prefers.
"""
