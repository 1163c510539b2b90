"""Routes of an application that bypass Tornado's request handlers."""
