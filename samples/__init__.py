"""The bundled captures, as package data."""
