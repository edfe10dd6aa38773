"""Live capture: a recorder process writes a spool, and the one pipeline follows that file.

Theory of operation. Three parties share a folder, the *session's spool*:

    interface ──▶ backend (dumpcap, tcpdump, a socket; a pipe) ──▶ recorder ──▶ spool files ──▶ Session ──▶ views

The recorder is a process of its own, in a session of its own, and alone has rights; it never waits for the analysis,
so an analysis that is slow or dead costs no packet. What it tells (ready, drops, trouble, the end) comes as JSON Lines
on its standard output; its standard input is held open by the analysis, and its end means: stop.
"""
