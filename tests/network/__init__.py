"""Tests of the biLM: spelling, batches, layers and precisions."""
