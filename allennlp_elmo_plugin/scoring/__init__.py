"""
The probabilities that a biLM gives to the words of a text, by its softmax.
"""
