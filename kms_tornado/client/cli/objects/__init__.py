"""Objects, found and described: listed, their attributes, access rights and records."""
