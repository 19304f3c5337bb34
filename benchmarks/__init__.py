"""Measurements of the numbers that the project promises; not part of the package."""
