"""The tests, laid out like the sources."""
