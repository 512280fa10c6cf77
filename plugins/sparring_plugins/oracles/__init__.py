"""Sparring's own plugins: oracles."""
