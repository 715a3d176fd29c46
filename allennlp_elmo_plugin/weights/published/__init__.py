"""
Published biLMs by their names: a list in `models.json`, and how their files are fetched.
"""
