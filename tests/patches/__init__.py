"""Tests of the patches of AllenNLP."""
