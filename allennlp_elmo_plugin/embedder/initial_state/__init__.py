"""
Where the LSTMs of a biLM start each sentence.
"""
