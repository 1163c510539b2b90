"""KMIP 1.0 to 1.4, translated at the edge: their trees to those of KMIP 2 and back.

Everything behind this package knows KMIP 2 alone. `history` says what each version lacks, which
`version_gate` enforces on trees of KMIP 2; the other modules know what has another shape in KMIP 1:

    names        the names of attributes
    attributes   Attribute, TemplateAttribute and the like
    key_formats  the formats of transparent keys on curves
    key_values   a key and the attributes beside it
    rows         one row for each operation: what its request has in place of KMIP 2's fields
    payloads     what the rows say, done to requests, and answers
"""
