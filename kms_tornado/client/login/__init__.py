"""The user's tokens: signing in at an issuer, keeping the tokens between two commands, and renewing them."""
