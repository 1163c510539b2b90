"""One function a call: from its arguments to the `Exchange` that the clients run."""
