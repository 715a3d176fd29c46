"""Tests of the caches of whole sentences' layers."""
