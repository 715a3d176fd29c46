"""
Facts that a `model.tar.gz` holds beside the weights, to build modules without their files.
"""
