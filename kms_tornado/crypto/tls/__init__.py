"""What the server needs to know about TLS certificates, and the throw-away ones of --dev."""
