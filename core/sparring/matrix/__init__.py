"""Matrix games, exact."""
