"""Study folders, run folders, tables and strict configuration."""

from auralign.data.config import StrictModel, load_yaml, parse, read_yaml
from auralign.data.formats import CLIPS, JUDGEMENTS, PAIRS, PROMPTS, SCORES
from auralign.data.info import study_info
from auralign.data.runs import RunFolder, Stage, StageRecord, StageWork, read_metrics
from auralign.data.study import StudyFolder, StudyHeader
from auralign.data.tables import TableFormat, read_table, write_table
from auralign.data.validate import Problem, validate_study

__all__ = [
    "CLIPS",
    "JUDGEMENTS",
    "PAIRS",
    "PROMPTS",
    "SCORES",
    "Problem",
    "RunFolder",
    "Stage",
    "StageRecord",
    "StageWork",
    "StrictModel",
    "StudyFolder",
    "StudyHeader",
    "TableFormat",
    "load_yaml",
    "parse",
    "read_metrics",
    "read_table",
    "read_yaml",
    "study_info",
    "validate_study",
    "write_table",
]
