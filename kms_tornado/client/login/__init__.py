"""The user's tokens: signing in at an issuer, where the tokens are kept between two commands, and renewing them."""
