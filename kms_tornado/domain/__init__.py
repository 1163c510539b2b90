"""The rules for managed objects. Pure: no clock, no database, no wire format."""
