"""What the transports share: TLS, and their connections from acceptance to end."""
