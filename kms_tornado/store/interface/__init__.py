"""The interface between the server and a store, in the domain's terms: no SQL, and no token."""
