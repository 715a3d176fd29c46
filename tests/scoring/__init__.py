"""Tests of the scores of a text."""
