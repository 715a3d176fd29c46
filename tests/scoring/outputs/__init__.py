"""Tests of the formats of scores."""
