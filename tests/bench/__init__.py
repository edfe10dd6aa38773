"""Benchmarks: synthetic captures, and whole commands timed against tshark on them. Nothing here is a test."""
