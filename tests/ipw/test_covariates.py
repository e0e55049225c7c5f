"""Which columns of X are covariates of a propensity."""

import numpy as np
import pandas as pd
import pytest

from skmissing import PropensityWeighter
from skmissing.exceptions import IdentifierWarning


@pytest.mark.parametrize("text", [False, True])
def test_a_copy_of_the_label_is_no_covariate(text):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    y = np.array(["ill", "well"])[y] if text else y
    frame = pd.DataFrame({"age": rng.normal(size=300), "died": y, "x": 1.0})
    frame.loc[rng.random(300) < 0.5, "x"] = np.nan
    weighter = PropensityWeighter(modalities={"x": ["x"]})
    with pytest.warns(IdentifierWarning, match=r"label: 'died' \(the label\); they"):
        weighter.fit(frame, y)
    assert weighter.covariate_names_ == ["age"]
    # Rows without a label say nothing about it; a single other value does.
    partial = pd.Series(y, dtype=object).where(np.arange(300) > 4, None)
    with pytest.warns(IdentifierWarning, match="'died'"):
        weighter.fit(frame, partial)
    assert weighter.covariate_names_ == ["age"]
    other = frame.assign(died=frame["died"].where(np.arange(300) != 299, y[0]))
    other.loc[299, "died"] = frame["died"][frame["died"] != y[299]].iloc[0]
    weighter.fit(other, y)
    assert len(weighter.covariate_names_) > 1
    # Named, it is one, and without labels nobody knows.
    named = PropensityWeighter(modalities={"x": ["x"]}, covariates=["age", "died"])
    assert len(named.fit(frame, y).covariate_names_) > 1
    assert len(weighter.fit(frame).covariate_names_) > 1
