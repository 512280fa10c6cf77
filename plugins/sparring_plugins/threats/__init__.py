"""Sparring's own plugins: threats."""
