"""From other people's files to study folders, and back to flat tables."""

from auralign.data.importers.aes import import_aes
from auralign.data.importers.attributes import read_attributes, read_levels, read_rater_groups
from auralign.data.importers.columns import FIELDS
from auralign.data.importers.export import export_csv
from auralign.data.importers.golisten import import_golisten
from auralign.data.importers.label_studio import import_label_studio
from auralign.data.importers.p808 import import_p808
from auralign.data.importers.versa import import_versa
from auralign.data.importers.votes import import_votes
from auralign.data.importers.webmushra import import_webmushra

__all__ = [
    "FIELDS",
    "export_csv",
    "import_aes",
    "import_golisten",
    "import_label_studio",
    "import_p808",
    "import_versa",
    "import_votes",
    "import_webmushra",
    "read_attributes",
    "read_levels",
    "read_rater_groups",
]
