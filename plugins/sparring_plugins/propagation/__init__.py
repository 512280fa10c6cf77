"""Bound propagation through networks: intervals, and linear relaxations forward and backward."""
