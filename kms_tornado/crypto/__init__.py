"""Keys and ciphers, CPU only. `cryptography` stays here and in two modules of the token layer."""
