"""From a principal and a request to an answer, whatever the transport."""
