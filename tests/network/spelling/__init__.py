"""Tests of the ways to spell words."""
