from dataclasses import replace

import pytest

from auralign.data.importers import export_csv, import_votes
from auralign.errors import DataError, StorageError
from auralign.types import TrialProtocol

PAIRS = "first,second,winner,rater,prompt\nold,new,new,ann,p1\nnew,old,tie_bad,bob,p1\n"
RATINGS = "clip,system,rating,rater,prompt\na,s,3,ann,p\nb,t,2.5,bob,p\n"


@pytest.fixture
def study_of(tmp_path):
    def make(text, name):
        (tmp_path / f"{name}.csv").write_text(text)
        return import_votes(tmp_path / f"{name}.csv", tmp_path / name, scale=(1.0, 5.0))

    return make


@pytest.mark.parametrize("text", [PAIRS, RATINGS])
def test_what_was_exported_is_imported_again_as_it_was(study_of, tmp_path, text):
    study = study_of(text, "first")
    assert export_csv(study.path, tmp_path / "out.csv") == 2
    again = import_votes(tmp_path / "out.csv", tmp_path / "again")
    assert again.judgements() == study.judgements()
    assert again.clips() == study.clips()


def test_a_study_of_both_kinds_asks_which(study_of, tmp_path):
    pairs, ratings = study_of(PAIRS, "pairs"), study_of(RATINGS, "ratings")
    pairs.write_clips([*pairs.clips(), *ratings.clips()])
    both = [*pairs.judgements(), *(replace(j, prompt_id="p1") for j in ratings.judgements())]
    pairs.write_judgements(both)
    with pytest.raises(DataError, match="found both: name one with --protocol"):
        export_csv(pairs.path, tmp_path / "out.csv")
    assert export_csv(pairs.path, tmp_path / "out.csv", protocol=TrialProtocol.RATING) == 2


def test_a_file_is_replaced_only_by_force(study_of, tmp_path):
    study = study_of(PAIRS, "study")
    export_csv(study.path, tmp_path / "out.csv")
    with pytest.raises(StorageError, match="is there already"):
        export_csv(study.path, tmp_path / "out.csv")
    export_csv(study.path, tmp_path / "out.csv", force=True)


def test_a_study_without_answers_has_nothing_to_export(study_of, tmp_path):
    study = study_of(PAIRS, "study")
    study.write_judgements([])
    with pytest.raises(DataError, match="found neither"):
        export_csv(study.path, tmp_path / "out.csv")
