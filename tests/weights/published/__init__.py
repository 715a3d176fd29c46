"""Tests of the published biLMs and their files."""
