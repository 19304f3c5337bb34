"""Whole analyses of study folders: what the command line prints."""

from auralign.stats.studies.agreement import Coefficient, StudyAgreement, study_agreement
from auralign.stats.studies.contests import Contests, ModelCheck
from auralign.stats.studies.explain import Factors, StudyExplanation, explain_study
from auralign.stats.studies.fit import rank_study
from auralign.stats.studies.listener_groups import PairByGroup
from auralign.stats.studies.planning import plan_study, power_from_pilot
from auralign.stats.studies.ranking import ItemDifference, RankedItem, StudyRanking
from auralign.stats.studies.raters import (
    Discrimination,
    RaterGroups,
    StudyRaters,
    study_raters,
)
from auralign.stats.studies.selection import Selection, select_judgements
from auralign.stats.studies.standards import CmosResults, StudyStandard, study_by_standard
from auralign.stats.studies.testing import StudyTests, SystemTest, study_tests

__all__ = [
    "CmosResults",
    "Coefficient",
    "Contests",
    "Discrimination",
    "Factors",
    "ItemDifference",
    "ModelCheck",
    "PairByGroup",
    "RankedItem",
    "RaterGroups",
    "Selection",
    "StudyAgreement",
    "StudyExplanation",
    "StudyRanking",
    "StudyRaters",
    "StudyStandard",
    "StudyTests",
    "SystemTest",
    "explain_study",
    "plan_study",
    "power_from_pilot",
    "rank_study",
    "select_judgements",
    "study_agreement",
    "study_by_standard",
    "study_raters",
    "study_tests",
]
