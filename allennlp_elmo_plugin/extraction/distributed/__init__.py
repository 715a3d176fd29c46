"""
One extraction in many processes on any number of machines, on Ray Data.
"""
