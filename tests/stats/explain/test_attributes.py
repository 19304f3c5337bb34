from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.explain.attributes import (
    attribute_comparisons,
    comparisons_by_context,
    stack_comparisons,
)


def test_attributes_are_in_standard_deviations_of_the_compared_items(simulate):
    comparisons, attributes = simulate([1, 0], n_items=12, each=5)
    data = attribute_comparisons(comparisons, attributes)
    own = np.array([attributes["a1"][item] for item in comparisons.items])
    assert data.scale[1] == pytest.approx(own.std(ddof=1))
    rows = data.used
    expected = (own[comparisons.first] - own[comparisons.second]) / own.std(ddof=1)
    np.testing.assert_allclose(data.differences[rows, 1], expected[rows])


def test_items_that_are_not_compared_do_not_set_the_scale(simulate):
    comparisons, attributes = simulate([1], n_items=12, each=5)
    more = replace(comparisons, items=(*comparisons.items, "other"))
    attributes["a0"]["other"] = 1e6
    np.testing.assert_allclose(
        attribute_comparisons(more, attributes).scale,
        attribute_comparisons(comparisons, attributes).scale,
    )


def test_missing_values_and_ties_are_left_out_and_counted(simulate):
    comparisons, attributes = simulate([1, 0], ties=0.2)
    attributes["a0"]["clip03"] = float("nan")
    del attributes["a1"]["clip05"]
    data = attribute_comparisons(comparisons, attributes)
    lacking = np.isin(comparisons.first, (3, 5)) | np.isin(comparisons.second, (3, 5))
    tied = ~lacking & (comparisons.outcome == 0.5)
    np.testing.assert_array_equal(data.used, np.flatnonzero(~lacking & ~tied))
    assert data.warnings == (
        f"{lacking.sum()} of 600 comparisons left out: an attribute of a clip is missing",
        f"{tied.sum()} of 600 comparisons left out: ties",
    )
    half = attribute_comparisons(comparisons, attributes, ties="half")
    np.testing.assert_array_equal(half.used, np.flatnonzero(~lacking))


def test_comparisons_apart_by_context_and_together_again(pair):
    judgements = [
        replace(pair("x", "y", "A", rater="ann"), context={"domain": "music"}),
        replace(pair("y", "z", "B", rater="bob"), context={"domain": "speech"}),
        replace(pair("y", "x", "TIE", rater="ann"), context={"domain": "speech"}),
        replace(pair("x", "y", "SKIP", rater="ann"), context={"domain": "sound"}),
        pair("x", "z", "A", rater="cai"),
    ]
    groups = comparisons_by_context(judgements, "overall", "domain")
    assert list(groups) == ["music", "speech"]
    stacked, group = stack_comparisons(groups)
    np.testing.assert_array_equal(group, [0, 1, 1])
    together = comparisons_from([j for j in judgements if j.context], "overall")
    assert stacked.items == together.items
    assert stacked.raters == together.raters
    for name in ("first", "second", "outcome", "rater"):
        np.testing.assert_array_equal(getattr(stacked, name), getattr(together, name))
    # The same prompt in two domains is two clusters.
    assert stacked.cluster[0] != stacked.cluster[1]


def test_bad_attributes_are_named(simulate, pair):
    comparisons, attributes = simulate([1], each=2)
    one = next(iter(attributes["a0"]))
    for values, message in (
        (dict.fromkeys(comparisons.items, 3.0), "same for all"),
        ({**attributes["a0"], one: float("inf")}, f"'{one}' is infinite"),
        ({"other": 1.0}, "known for none"),
    ):
        with pytest.raises(DataError, match=message):
            attribute_comparisons(comparisons, {"a0": values})
    with pytest.raises(DataError, match="none of 60 comparisons is usable"):
        attribute_comparisons(
            comparisons, {"a0": {one: 1.0, "clip01": 2.0}} | {"a1": {"clip02": 1.0, "clip03": 2.0}}
        )
    with pytest.raises(ConfigError, match="did you mean 'half'"):
        attribute_comparisons(comparisons, attributes, ties="hal")
    with pytest.raises(DataError, match=r"context 'domian' \(did you mean 'domain'\?\)"):
        comparisons_by_context(
            [replace(pair("x", "y", "A"), context={"domain": "music"})], "overall", "domian"
        )
    with pytest.raises(DataError, match="at least one group"):
        stack_comparisons({})
