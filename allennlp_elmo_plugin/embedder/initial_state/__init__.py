"""
The states that the LSTMs of a biLM start each sentence from.
"""
