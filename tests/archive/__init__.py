"""Tests of archives: saved, loaded and read without their files."""
