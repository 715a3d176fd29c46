"""Tests of the token embedder and its components."""
