"""The one class that all errors of the package are derived from."""

from __future__ import annotations


class KMSError(Exception):
    """Base of all errors raised on purpose."""
