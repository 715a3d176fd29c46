"""Tests of the files of weights."""
