"""The pages under /settings: oneself, the account, who works there, and what letters leave and are held back by."""
