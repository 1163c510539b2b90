"""The KMIP operations: one async function (Call, request) → response for each of them."""
