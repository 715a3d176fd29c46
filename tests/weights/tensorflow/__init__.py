"""Tests of reading TensorFlow checkpoints."""
