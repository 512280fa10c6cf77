"""Extensive-form games, exact."""
