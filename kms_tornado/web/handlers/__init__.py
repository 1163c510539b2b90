"""The request handlers: what each path answers, and what all handlers share."""
