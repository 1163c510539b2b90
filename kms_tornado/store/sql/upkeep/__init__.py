"""Work on a whole database: copying, checking, and sealing again."""
