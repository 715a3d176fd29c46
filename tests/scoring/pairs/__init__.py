"""Tests of minimal pairs."""
