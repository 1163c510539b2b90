"""What a token is: its form, its signature, what it is bound to, and the policy that every token must satisfy."""
