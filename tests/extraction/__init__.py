"""Tests of the extraction of vectors from text."""
