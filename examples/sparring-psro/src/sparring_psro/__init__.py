"""A solver and a metric for Sparring: `psro` and `deviation`."""
