"""Sparring's own plugins: bounds."""
