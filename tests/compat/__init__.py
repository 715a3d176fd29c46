"""Tests of the adapters with the interfaces of other packages."""
