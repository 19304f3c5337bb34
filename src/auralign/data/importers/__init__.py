"""From other people's files to study folders, and back to flat tables."""

from auralign.data.importers.aes import import_aes
from auralign.data.importers.attributes import read_attributes, read_levels, read_rater_groups
from auralign.data.importers.columns import FIELDS
from auralign.data.importers.export import export_csv
from auralign.data.importers.versa import import_versa
from auralign.data.importers.votes import import_votes

__all__ = [
    "FIELDS",
    "export_csv",
    "import_aes",
    "import_versa",
    "import_votes",
    "read_attributes",
    "read_levels",
    "read_rater_groups",
]
