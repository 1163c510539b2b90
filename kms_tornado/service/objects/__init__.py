"""What users ask about their objects apart from KMIP: which ones there are, and who may use them."""
