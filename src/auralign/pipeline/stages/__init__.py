"""The stages of a run, one module each: options, what it makes, and the function that makes it."""
