"""One function for each call: from its arguments to the `Exchange` that the clients run."""
