"""What clients can ask for: async functions (Call, request) → response, one an operation."""
