"""Sphinx settings: Markdown pages, no generated ones."""

from auralign import __version__

project = "auralign"
copyright = "The auralign authors"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
nitpicky = True

# The sound of the gallery of hacks: its players look for it here.
html_static_path = ["gallery"]
html_theme = "furo"
html_title = f"auralign {__version__}"
