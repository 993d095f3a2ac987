"""The Sell v2 contract: its paths, its envelope and its records."""
