"""Keys and certificates: their generation, formats, encodings and numbers."""
