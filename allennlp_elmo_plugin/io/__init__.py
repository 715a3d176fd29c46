"""
Helpers for files and text that any room may use.
"""
