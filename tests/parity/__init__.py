"""Tests that the plugin's embedder agrees with AllenNLP's and with the oracle."""
