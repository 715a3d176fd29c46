"""Tests of the files of ELMoForManyLangs."""
