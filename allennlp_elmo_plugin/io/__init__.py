"""
Helpers for files and text that any subpackage may use.
"""
