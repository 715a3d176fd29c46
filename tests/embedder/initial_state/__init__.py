"""Tests of the states that the LSTMs start from."""
