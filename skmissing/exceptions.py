"""Warning classes of the package, each filtered on its own, and one error."""

__all__ = [
    "AbsentModalityWarning",
    "AmbiguousIntegerWarning",
    "EmptyRowWarning",
    "FailedCellWarning",
    "FoldDependenceWarning",
    "IdentifierWarning",
    "ManyClassesWarning",
    "MissingCovariateWarning",
    "ModelFileError",
    "NamelessModalityWarning",
    "NoCovariateWarning",
    "OverlapWarning",
    "SkmissingWarning",
    "SparseStatesWarning",
    "UncertifiedWarning",
    "UndefinedScoreWarning",
    "UnknownCategoryWarning",
    "UnobservedModalityWarning",
]


class SkmissingWarning(UserWarning):
    """Base class of every warning raised by skmissing."""


class ModelFileError(ValueError):
    """A model cannot be written to a file of data, or a file holds none.

    See :func:`skmissing.save` and :func:`skmissing.load`.

    Examples
    --------
    >>> import skmissing
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skmissing.exceptions import ModelFileError
    >>> try:
    ...     skmissing.save(FunctionTransformer(lambda x: x), "model.skm")
    ... except ModelFileError as error:
    ...     print(str(error).rpartition(" in ")[2].partition(",")[0])
    FunctionTransformer.func
    """


class AmbiguousIntegerWarning(SkmissingWarning):
    """Integers of a block may be tokens or numbers, and were taken as numbers.

    The encoder that is listed for the modality decides.
    """


class UnobservedModalityWarning(SkmissingWarning):
    """A modality is missing in every row seen in ``fit``.

    The estimator cannot learn anything about it and ignores it at prediction.
    """


class AbsentModalityWarning(SkmissingWarning):
    """X at prediction has no columns, or no block, of a modality seen in ``fit``.

    It counts as missing in all rows.
    """


class NamelessModalityWarning(SkmissingWarning):
    """Nothing says which columns belong together, so all are one modality.

    Methods for several modalities then have nothing to work on. Column names like
    ``labs__sodium``, or the parameter ``modalities``, name them; behind a
    ColumnTransformer, ``set_output(transform="pandas")`` does.
    """


class EmptyRowWarning(SkmissingWarning):
    """Some rows have no modality at all and are predicted with the class prior."""


class NoCovariateWarning(SkmissingWarning):
    """A propensity model has nothing to go by.

    The marginal rate takes its place, so that missingness is assumed to be completely
    at random.
    """


class OverlapWarning(SkmissingWarning):
    """Some rows could hardly have been observed, or could hardly have been missing.

    A few weights then dominate, and no weight can stand for rows of a kind
    that is never observed.
    """


class IdentifierWarning(SkmissingWarning):
    """Columns that identify rows, or hold free text, are no covariates by default.

    Record numbers, notes, the column that is passed as ``groups``, and a copy of the
    label are left out of a propensity unless its ``covariates`` name them.
    """


class ManyClassesWarning(SkmissingWarning):
    """Whole numbers in y make many classes for few rows, as a quantity would."""


class MissingCovariateWarning(SkmissingWarning):
    """A covariate that was always there in ``fit`` is missing at prediction."""


class FoldDependenceWarning(SkmissingWarning):
    """Some errors of a cross-fitted value take its folds for independent.

    They are too small if the model remembers single rows.
    """


class SparseStatesWarning(SkmissingWarning):
    """A source has too few rows for each of its states.

    Counts of such states are as informative about noise as about a label.
    """


class UncertifiedWarning(SkmissingWarning):
    """A numerical solution is certified to a lower accuracy than was asked for.

    The message has the accuracy that is certain.
    """


class UndefinedScoreWarning(SkmissingWarning):
    """A metric is not defined on the rows of one pattern; its score is NaN."""


class UnknownCategoryWarning(SkmissingWarning):
    """A column that "auto" encodes has categories that were not there in ``fit``.

    They are encoded as zeros: as none of the known ones.
    """


class FailedCellWarning(SkmissingWarning):
    """An estimator fails on some cells of a benchmark; its scores there are NaN."""
