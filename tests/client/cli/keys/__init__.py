"""Tests of the nouns of keys."""
