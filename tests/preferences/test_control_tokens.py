from auralign.preferences.control_tokens import control_token_stages
from auralign.types import Feedback, Split


def test_control_tokens_train_first_and_everything_after_on_the_same_tagged_clips():
    thumbs = [
        Feedback("p", "x", True, 1.0, "overall", "thumbs", Split.TRAIN),
        Feedback("q", "y", False, 1.0, "overall", "thumbs", Split.TEST),
    ]
    first, second = control_token_stages(thumbs)
    assert (first.trains, second.trains) == ("control", "all")
    assert first.clips == second.clips
    assert [(c.condition, c.clip) for c in first.clips] == [("good", "x"), ("bad", "y")]
    assert [c.split for c in first.clips] == [Split.TRAIN, Split.TEST]
