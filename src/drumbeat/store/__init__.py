"""What is remembered: the only SQL. Every statement on a tenant's rows names its account."""
