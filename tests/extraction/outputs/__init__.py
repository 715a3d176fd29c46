"""Tests of the files of vectors."""
