"""Measures of the offline set: nothing to fetch, no extra needed."""
