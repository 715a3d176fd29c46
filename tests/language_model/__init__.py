"""Tests of the training of a biLM."""
