"""What is taken out of a capture: rows as JSON Lines or CSV, a payload, one connection's packets."""
