"""Any classifier, trained and scored for the whole population."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._folds import observed_rows
from .._estimation._inner_estimators import (
    FlatTable,
    a_row_for_each,
    accepts_nan,
    clone_seeded,
    fit_weighted,
    takes_multimodal,
)
from .._estimation._partial_labels import check_like_classes, known_labels, labels_of
from .._estimation._rows import LabelledRows, check_partial_rows, check_weights
from .._estimation._vectors import plain
from .._utils._checks import choose_names
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._restore import restore_on_error
from .._utils._sklearn_compat import HasMethods, StrOptions, _fit_context
from .._utils._warn import warn_user
from ..exceptions import OverlapWarning
from ..modalities._column_values import frame_block
from ..modalities._frames import read_frame
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ._propensity import PropensityWeighter, make_weighter


def _inner_has(name: str):
    def check(self) -> bool:
        inner = getattr(self, "estimator_", self.estimator)
        return inner is None or hasattr(inner, name)

    return check


def _only_decides(self) -> bool:
    inner = getattr(self, "estimator_", self.estimator)
    return hasattr(inner, "decision_function") and not hasattr(inner, "predict_proba")


@stores_parameters
class IPWMultimodalClassifier(MultimodalClassifierMixin, BaseEstimator):
    """Classifier fitted on observed rows, weighted so that they represent all rows.

    Any classifier is fitted with inverse-probability weights on the rows that have all
    modalities it uses. The score has such weights, too.

    Parameters
    ----------
    estimator : classifier, default=None
        Any classifier whose ``fit`` takes ``sample_weight``, Pipelines included. None:
        a :class:`~skmissing.baselines.FusionClassifier`. Estimators of this package
        get blocks, others a table (a data frame if X is one).
    propensity : PropensityWeighter, default=None
        Template of the model of missingness. Where it leaves ``required`` open, the
        modalities in ``use`` are required. None: default settings, with
        ``random_state=0``.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`. All other columns
        are covariates: the propensity may see them, the classifier never does.
    use : list of str, default=None
        Modalities that the classifier sees. None: all.
    weighting : {"ipw", "none"}, default="ipw"
        "none" trains and scores on the observed rows as they are, the biased
        complete-case analysis, to compare with.
    random_state : int, RandomState instance or None, default=None
        Settles the random numbers of the default net, and those of an ``estimator``
        (of its steps, too) that leaves them open. None: an ``estimator`` is fitted as
        it is. The propensity has a ``random_state`` of its own.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    propensity_ : PropensityWeighter or None
        The fitted model of missingness; None with ``weighting="none"``.
    use_ : list of str
        Modalities that the classifier sees.
    n_observed_ : int
        Rows it was fitted on.
    effective_sample_size_ : float
        Of the weights of these rows.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted; of all rows with a label.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class: of all rows where no label is missing, else of
        the observed rows under their weights.
    modality_names_in_ : ndarray of str
        Names of the modalities seen in ``fit``.
    modality_shapes_in_ : dict of str to tuple of int
        Shape of one row of each modality.
    n_features_in_ : int
        Columns of a 2-D X, number of modalities of a MultimodalData.
    feature_names_in_ : ndarray of str
        Only for data frames with string column names.

    Raises
    ------
    ValueError
        In ``fit``, if no row is observed, if the observed rows show one class only, for
        unknown names, and whatever the propensity raises.
    TypeError
        If the weights differ and ``estimator`` takes none.

    Warns
    -----
    OverlapWarning
        If a class shows in rows that are not observed alone, and as in
        :class:`~skmissing.PropensityWeighter`.

    See Also
    --------
    skmissing.ipw.make_ipw_scorer : Any metric with the same weights, for searches.
    skmissing.ipw.modality_utility : Compares sets of modalities.

    Notes
    -----
    Minimises :math:`\\sum_i w_i \\ell_i / \\sum_i w_i` over the observed rows
    (:cite:t:`icym2i`, weighted training), with w scaled to mean 1, so that its scale
    does not matter. With ``cv`` in the propensity, w is out of fold. At prediction, a
    row without a used modality is predicted by ``estimator`` if that is one of this
    package, otherwise by the class prior, with one warning.

    *Differences from the paper.* (1) Its text has the weight :math:`1 /
    P(\\text{observed})`; its code always stabilises and does not scale the weights, so
    that their scale affects the learning rate. Here both kinds of weights are
    available, and their scale does not matter. (2) Its experiments leave rows without
    the missing modality out for every model, also for that of a modality that is always
    present. Here a classifier needs only the modalities it uses. So what
    :func:`~skmissing.ipw.modality_utility` calls the biased value of an always-present
    modality is by design not the published one: where x2 is missing at random, the AUC
    of x1 for the AND of two bits is 0.83 here, biased or not, and 0.67 there, as on
    ``X[X.present.all(axis=1)]`` with ``weighting="none"``. (3) Propensities are the
    true probabilities of the generator in two of its four experiments. Where a logistic
    regression is fitted, it is also fitted to test rows, or its penalty is chosen by
    accuracy; here it is fitted to training rows, and chosen by log-loss. (4) Its values
    are means of 100 resamples of the test rows with everything held fixed; here values
    are the estimates, and intervals include models and propensities.

    The setting of the paper for the gates: one net of 32 and 32 units on all columns
    together, and a logistic regression of missingness on x1. (Its clinical data have
    ``clip=(0.1, 0.9)``. Its loop drops the last batch if that is not full; with fewer
    than 1,024 rows nothing is learned.)

    >>> from sklearn.linear_model import LogisticRegression
    >>> from torch import nn
    >>> from skmissing import IPWMultimodalClassifier, PropensityWeighter
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import ModuleEncoder
    >>> column = ModuleEncoder(nn.Flatten(), out_features=1, scale_inputs=True)
    >>> net = FusionClassifier(
    ...     encoders={"x1": column, "x2": column}, fusion="early", head_hidden=(32, 32),
    ...     head_dropout=0.0, modality_dropout=0.0, optimizer="adam", lr=1e-3,
    ...     weight_decay=0.0, batch_size=1024, max_epochs=100, early_stopping=True,
    ...     validation_fraction=1 / 9, n_iter_no_change=4, dtype="float64",
    ...     random_state=42,
    ... )
    >>> paper = IPWMultimodalClassifier(
    ...     net,
    ...     propensity=PropensityWeighter(
    ...         LogisticRegression(C=1.0, max_iter=10_000), required=["x1", "x2"],
    ...         covariates=["x1"], use_target=False, stabilized=True, clip=None,
    ...         cv=None,
    ...     ),
    ...     use=["x1", "x2"], weighting="ipw",
    ... )

    :ref:`The page of claims <claims-icym2i>` compares the results of the paper with
    ours.

    Examples
    --------
    Two bits, y = x1 AND x2; x2 is mostly observed where x1 is 1. On complete rows alone
    x2 looks better than it is: its accuracy in the population is 0.75.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmissing import IPWMultimodalClassifier
    >>> from skmissing.datasets import make_bitwise
    >>> X, y = make_bitwise(mechanism="mar", return_X_y=True, random_state=0)
    >>> for weighting in ("none", "ipw"):
    ...     clf = IPWMultimodalClassifier(
    ...         LogisticRegression(), use=["x2"], weighting=weighting
    ...     )
    ...     print(weighting, round(clf.fit(X, y).score(X, y), 2))
    none 0.9
    ipw 0.76
    """

    estimator: Any = field(default=None, kw_only=False)
    propensity: PropensityWeighter | None = None
    modalities: Any = None
    use: Any = None
    weighting: str = "ipw"
    random_state: Any = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "propensity": [HasMethods(["fit", "sample_weight"]), None],
        "modalities": [dict, list, tuple, None],
        "use": [list, tuple, str, None],
        "weighting": [StrOptions({"ipw", "none"})],
        "random_state": ["random_state"],
    }

    def set_params(self, **params) -> IPWMultimodalClassifier:
        """Set parameters, nested ones too.

        Parameters
        ----------
        **params : dict
            As in scikit-learn.

        Returns
        -------
        self
        """
        super().set_params(**params)
        # A search sets parameters on a fresh clone. Candidates that differ in these
        # cannot be scored each with weights of its own: make_ipw_scorer looks here.
        changed = {name.partition("__")[0] for name in params}
        if changed & {"propensity", "use", "weighting", "modalities"}:
            self._own_weights_set = True
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y, sample_weight=None, groups=None) -> IPWMultimodalClassifier:
        """Model the missingness, then fit on the observed rows.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Observed and unobserved rows: both are needed for the propensity.
        y : array of shape (n_samples,)
            Class labels of any type; NaN, None or ``pandas.NA`` where missing.
        sample_weight : array of shape (n_samples,), default=None
            Not negative; multiplied with the inverse-probability weights. A row of
            weight 0 counts as absent.
        groups : array of shape (n_samples,), default=None
            Rows of one group stay together in cross-fitting, and in the estimator where
            it takes groups.

        Returns
        -------
        self
        """
        # Blocks that only the propensity sees may hold text.
        X = read_frame(X)
        data = check_multimodal(
            self, X, self.modalities, reset=True, numeric=self.use is None
        )
        rows = check_partial_rows(self, data, y, sample_weight, groups)
        self.use_ = self._resolve_use(X, data)
        self.propensity_, ipw = self._weigh(X, y, sample_weight, groups)
        observed = observed_rows(data, self.use_) & rows.labelled & (ipw > 0)
        w = rows.weight * ipw
        self._check_observed(rows, observed)
        self.classes_ = rows.classes
        # The sample's own class prior where all labels are known, else a weighted one.
        whole = rows.labelled[rows.weight > 0].all()
        here, mass = (rows.labelled, rows.weight) if whole else (observed, w)
        prior = np.bincount(rows.y[here], mass[here], minlength=len(rows.classes))
        self.class_prior_ = prior / prior.sum()
        # Scaled to mean 1: what the inner estimator makes of weights may depend on it.
        w = w[observed] / w[observed].mean()
        if np.ptp(w) < 1e-12:
            w = np.ones_like(w)
        self.n_observed_ = int(observed.sum())
        self.effective_sample_size_ = float(w.sum() ** 2 / (w @ w))
        self._fit_inner(X, replace(rows.take(observed), weight=w))
        return self

    def _check_observed(self, rows: LabelledRows, observed: np.ndarray) -> None:
        """Refuse rows to train on with less than two classes."""
        if not observed.any():
            raise ValueError(
                f"Got no row with a label and all of the modalities {self.use_}, "
                "expected at least one."
            )
        shown = np.unique(rows.y[observed])
        if len(shown) < 2:
            raise ValueError(
                f"Got one class only ({plain(rows.classes[shown[0]])!r}) in the rows "
                f"that have {self.use_}, expected at least two classes."
            )
        if len(shown) < len(rows.classes):
            unseen = np.delete(rows.classes, shown).tolist()
            warn_user(
                f"Got the classes {unseen} only in rows without all of {self.use_}; "
                "they are never predicted, and no weight can stand for them.",
                OverlapWarning,
            )

    def _resolve_use(self, X, data: MultimodalData) -> list[str]:
        use = data.names
        if self.use is not None:
            use = choose_names(self.use, use, "use", distinct=True)
        for name in use:
            if isinstance(X, pd.DataFrame):
                # Names the first column that is not a number.
                frame_block(X.iloc[:, self.column_layout_.indices[name]], name, True)
            if data[name].dtype.kind not in "fiub":
                raise ValueError(
                    f"Got values of dtype {data[name].dtype} in the modality {name!r}, "
                    "expected numbers; encode it with a ModalityTransformer first, or "
                    "leave it out of use."
                )
        return use

    def _weigh(
        self, X, y, sample_weight, groups
    ) -> tuple[PropensityWeighter | None, np.ndarray | float]:
        """The fitted weighter, and a weight for every row."""
        if self.weighting == "none":
            return None, 1.0
        weighter = make_weighter(self.propensity, X, self.modalities, self.use_)
        weighter.fit(X, y, sample_weight, groups)
        if len(weighter.required_) > 1 or not set(self.use_) <= set(
            weighter.required_[0]
        ):
            raise ValueError(
                f"Got propensity with required={weighter.required!r}, "
                f"expected None or one list that holds {self.use_}."
            )
        return weighter, weighter.sample_weight_[:, 0]

    def _fit_inner(self, X, rows: LabelledRows) -> None:
        """Fit a clone of ``estimator`` on the observed rows."""
        labels = rows.classes[rows.y]
        template = self.estimator
        if template is None:
            from ..baselines import FusionClassifier

            template = FusionClassifier()
        inner: Any = clone(template)
        if self.random_state is not None:
            rng = local_random_state(self.random_state)
            inner = clone_seeded(template, draw_seed(rng))
        self._labels = None
        self._flat = None
        if takes_multimodal(inner):
            part = rows.data.select(self.use_)
            fit_weighted(inner, part, labels, rows.weight, rows.groups)
        else:
            self._flat = FlatTable(self.use_, accepts_nan(inner))
            self._flat.fit(rows.data, rows.weight)
            if isinstance(X, pd.DataFrame):
                indices = self.column_layout_.indices
                at = np.concatenate([indices[name] for name in self.use_])
                labels_seen = self.column_layout_.labels
                columns = X.columns if labels_seen is None else labels_seen
                # No Index: it cannot be written to every kind of file.
                self._labels = [columns[i] for i in at]
            table = self._inputs(rows.data)
            fit_weighted(inner, table, labels, rows.weight, rows.groups)
        self.estimator_ = inner

    def _inputs(self, data: MultimodalData):
        """Rows as the inner estimator takes them."""
        if self._flat is None:
            return data.select(self.use_)
        table = self._flat.transform(data)
        if self._labels is None:
            return table
        return pd.DataFrame(table, columns=pd.Index(self._labels))

    def _check_rows(self, X) -> MultimodalData:
        # Blocks that only the propensity sees may hold text.
        numeric = self.use is None
        return check_multimodal(self, X, self.modalities, reset=False, numeric=numeric)

    def _answerable(self, data: MultimodalData) -> np.ndarray:
        part = data.select(self.use_)
        if self._flat is not None:
            return np.asarray(part.present.all(axis=1))
        if isinstance(self.estimator_, MultimodalClassifierMixin):
            return self.estimator_.can_predict(part)
        return np.asarray(part.present.any(axis=1))

    def _lacking(self) -> str:
        if self._flat is None:
            return "a usable modality"
        return f"all of the modalities {self.use_}"

    def _predictor(self) -> str:
        return f"estimator={self.estimator_!r}"

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        rows = self._inputs(data)
        with np.errstate(divide="ignore"):
            if hasattr(self.estimator_, "predict_log_proba"):
                inner = self.estimator_.predict_log_proba(rows)
            else:
                inner = np.log(self.estimator_.predict_proba(rows))
        inner = a_row_for_each(self.estimator_, inner, len(data))
        # A class may show in rows that are not observed alone.
        out = np.full((len(data), len(self.classes_)), -np.inf)
        out[:, np.searchsorted(self.classes_, self.estimator_.classes_)] = inner
        return out

    @available_if(_inner_has("predict_proba"))
    def predict_log_proba(self, X) -> np.ndarray:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return super().predict_log_proba(X)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        return super().predict_proba(X)

    @available_if(_only_decides)
    def decision_function(self, X) -> np.ndarray:
        """Scores of an estimator that has no probabilities.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows that have all used modalities: there is no prior on this scale.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        some = self._answerable(data)
        if not some.all():
            raise ValueError(
                f"Got {int((~some).sum())} rows without {self._lacking()}, expected "
                "rows that have them."
            )
        return self.estimator_.decision_function(self._inputs(data))

    def predict(self, X) -> np.ndarray:
        """Class of each row, as ``estimator`` decides.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels as given in ``fit``.
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        some = self._answerable(data)
        self._warn_unanswerable(some)
        out = np.empty(len(data), dtype=self.classes_.dtype)
        out[:] = self.classes_[np.argmax(self.class_prior_)]
        if some.any():
            rows = self._inputs(data if some.all() else data[some])
            out[some] = self.estimator_.predict(rows)
        return out

    def score(self, X, y, sample_weight=None) -> float:
        """Accuracy for the whole population, from the rows that are observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Rows without a label, or without a used modality, get weight 0.
        y : array of shape (n_samples,)
            Labels.
        sample_weight : array of shape (n_samples,), default=None
            Multiplied with the inverse-probability weights.

        Returns
        -------
        float
            Between 0 and 1. Unweighted with ``weighting="none"``.
        """
        check_is_fitted(self)
        data = self._check_rows(X)
        known = known_labels(y, len(data))
        weight = check_weights(sample_weight, len(data))
        weight = weight * (observed_rows(data, self.use_) & known)
        if self.propensity_ is not None:
            weight = weight * self.propensity_.sample_weight(X, y, out_of_fold=True)
        rows = weight > 0
        if not rows.any():
            raise ValueError(
                f"Got no row with a label and all of the modalities {self.use_}, "
                "expected at least one to score."
            )
        labels = labels_of(y, rows)
        check_like_classes(labels, self.classes_)
        right = self.estimator_.predict(self._inputs(data[rows])) == labels
        return float(weight[rows] @ right / weight[rows].sum())
