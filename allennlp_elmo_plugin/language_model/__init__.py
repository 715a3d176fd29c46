"""
Training a biLM: the reader of its corpus, the language model around the network, and callbacks for
the trainer.
"""
