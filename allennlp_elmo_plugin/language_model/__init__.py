"""
Training a biLM: its corpus, the language model around the network, and trainer callbacks.
"""
