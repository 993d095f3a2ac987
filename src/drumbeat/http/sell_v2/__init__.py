"""Zendesk Sell's REST API v2, exact to the key."""
