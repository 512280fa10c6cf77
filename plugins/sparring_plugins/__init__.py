"""Sparring's own plugins: all of them."""
