"""What the transports share: their connections, from acceptance to end, and TLS."""
