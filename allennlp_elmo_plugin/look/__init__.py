"""
A page to look at: what a biLM makes of a text, in one HTML file that opens offline.
"""
