"""Tests of the probabilities that a biLM gives to words."""
