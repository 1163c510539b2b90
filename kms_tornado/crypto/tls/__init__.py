"""What the server needs to know of TLS certificates, and the throw-away ones of --dev."""
