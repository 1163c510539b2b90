"""Who is calling: bearer tokens, key sets, claims. No HTTP client, no clock, no KMIP."""
