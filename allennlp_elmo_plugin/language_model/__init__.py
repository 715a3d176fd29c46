"""
Training a biLM.

The package has the reader of the corpus, the language model around the network, and callbacks for
the trainer.
"""
