"""framescope: every WebSocket connection in a capture, each frame, and why it closed."""
