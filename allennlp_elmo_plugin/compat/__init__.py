"""
Thin adapters with the interfaces of other packages, one short file for each.
"""
