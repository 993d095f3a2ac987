"""Drumbeat, the open, self-hosted sequence engine: steady, polite, provable follow-up."""

__version__ = "0.1.0"
