"""Oracles, data and experiments that several tests use."""
