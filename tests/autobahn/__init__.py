"""The case list of the Autobahn Testsuite, played against a real server while packets are recorded."""
