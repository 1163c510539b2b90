"""How the server keeps keys: sealed under the master key, in rows under a MAC."""
