"""
Pages and files to look at: what a biLM makes of a text.
"""
