"""Listeners that are programs: they go the whole way over HTTP, as a browser does."""
