"""Who is calling: credentials in, a principal out. No HTTP client, no KMIP."""
