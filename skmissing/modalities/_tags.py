"""The tag of estimators that are fitted on blocks."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sklearn.utils import InputTags, get_tags


@dataclass(slots=True)
class MultimodalInputTags(InputTags):
    """Input tags with ``multimodal``, which scikit-learn's own do not have."""

    multimodal: bool = True


def tag_multimodal(tags):
    """Tag an estimator as one that takes a MultimodalData.

    Meta-estimators of this package then pass it blocks instead of a table.

    Parameters
    ----------
    tags : sklearn.utils.Tags
        What ``super().__sklearn_tags__()`` returns.

    Returns
    -------
    sklearn.utils.Tags
        The same object; its ``input_tags.multimodal`` is True.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator, ClassifierMixin
    >>> from sklearn.utils import get_tags
    >>> from skmissing.modalities import tag_multimodal
    >>> class MyClassifier(ClassifierMixin, BaseEstimator):
    ...     def __sklearn_tags__(self):
    ...         return tag_multimodal(super().__sklearn_tags__())
    >>> get_tags(MyClassifier()).input_tags.multimodal
    True
    """
    given = tags.input_tags
    values = {f.name: getattr(given, f.name) for f in fields(given)}
    tags.input_tags = MultimodalInputTags(**values)
    return tags


def is_tagged_multimodal(estimator) -> bool:
    """Whether an estimator has the tag itself; Pipelines and searches have none."""
    return bool(getattr(get_tags(estimator).input_tags, "multimodal", False))
