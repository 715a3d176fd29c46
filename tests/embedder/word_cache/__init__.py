"""Tests of the caches of word vectors."""
