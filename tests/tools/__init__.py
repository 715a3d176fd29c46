"""Tools that make what the tests compare with, by the programs of others."""
