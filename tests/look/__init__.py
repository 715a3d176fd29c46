"""Tests of what one looks at."""
