"""Routes and pages: they read requests, call one function and write what it returns."""
