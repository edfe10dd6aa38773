"""Records the bundled captures from real software on loopback: `python -m samples.make [NAME...]`.

Needs root (tcpdump on `lo`), tcpdump, nginx, node with the packages ws and socket.io in the folder that NODE_MODULES
names, Chromium, and the Python packages of the `test` extra. Ports, keys and texts are fixed, so that a new recording
tells the same story with other times.
"""
