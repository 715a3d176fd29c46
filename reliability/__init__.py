"""
Checks of the plugin from outside: hostile input, kills, and sanitizers.
"""
