"""Dissectors: octets in, rows out. They know nothing of packets, files or clocks."""
