"""Keys themselves: their formats, encodings and numbers, in and out."""
