"""Tests of the page to look at."""
