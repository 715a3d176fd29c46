"""Tests of the helpers for files and text."""
