"""A sitting from consent to code. Whatever is acknowledged here was committed before."""
