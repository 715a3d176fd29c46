"""
Text in, vectors out: reading sentences, running an encoder over them, writing its layers.
"""
