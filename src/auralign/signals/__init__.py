"""Automated measures: what a program says about a clip."""
