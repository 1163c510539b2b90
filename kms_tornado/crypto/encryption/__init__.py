"""Encryption and decryption for clients, by symmetric keys and by RSA."""
