"""
Change of the meaning of words between two corpora.
"""
