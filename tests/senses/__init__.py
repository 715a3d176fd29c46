"""Tests of the change of meaning."""
