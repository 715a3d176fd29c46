"""Tests of the extraction in many processes."""
