"""Signals of pretrained models and of libraries that are extras, imported only when named."""
