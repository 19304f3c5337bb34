"""Distances between sets of recordings."""
