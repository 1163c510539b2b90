"""The page: its files and headers by HTTP, and in a real browser what a person does with it."""
