"""
Helpers for files, text and threads that any subpackage may use.
"""
