"""What a token is: its form, its signature, what it is bound to, and what every one must satisfy."""
