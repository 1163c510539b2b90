"""The nouns of keys: `sym`, `rsa`, `ec`, `secret-data`, `certificates`, and the short `create`.

`nouns` says which noun has which verbs. A verb is a function that makes the click command for a noun, in a
module that is imported when the verb is called.
"""
