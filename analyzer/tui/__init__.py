"""The Textual interface: a view like any other. It reads snapshots, and parses nothing."""
