"""Builders of synthetic traffic: frames, handshakes, packets, TCP connections, capture files. Standard library only.

talk = Talk().open().upgrade().frame("C", TEXT, b"hi").fin("C").fin("S")
octets = pcap(talk.packets())
"""
