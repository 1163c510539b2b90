"""The server as a process: sockets, TLS, workers, signals, the issuer of --dev."""
