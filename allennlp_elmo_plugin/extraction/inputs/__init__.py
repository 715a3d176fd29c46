"""
Reading sentences from files of several formats, each with a parser in a module of its own.
"""
