"""
The formats of files of scores.
"""
