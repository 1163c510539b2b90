"""The server as one or several processes: sockets, TLS, workers, signals, the issuer of --dev."""
