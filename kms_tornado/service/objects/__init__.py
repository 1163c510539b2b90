"""What users ask about their objects beside KMIP: which there are, and who may use them."""
