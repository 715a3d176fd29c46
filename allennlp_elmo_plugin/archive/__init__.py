"""
What is saved in a `model.tar.gz` beside the weights, and found again.
"""
