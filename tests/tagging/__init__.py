"""Tests of the tagging reader and predictor."""
