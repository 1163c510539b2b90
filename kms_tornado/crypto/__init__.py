"""Keys and ciphers. Only this package and the token layer (`auth`) import `cryptography`."""
