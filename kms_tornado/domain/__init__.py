"""The rules of managed objects: pure, no clock, no database."""
