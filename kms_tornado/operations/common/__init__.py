"""Code that operations share: the call, its transaction, streams, the use of keys, new objects."""
