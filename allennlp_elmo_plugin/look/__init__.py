"""
Pages and files to look at vectors.
"""
