"""Tokens bound to a key or a client certificate (RFC 8705, RFC 9449): does the sender hold it?"""
