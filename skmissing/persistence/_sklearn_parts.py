"""Compiled parts of scikit-learn, and what its estimators rely on without a look.

Its trees follow the numbers of their nodes wherever these lead. A file could lead them
out of their memory, or round in circles, so numbers are checked here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
    BaseHistGradientBoosting,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import _sgd_fast
from sklearn.neighbors import BallTree, KDTree
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from ..exceptions import ModelFileError

_LEAF = -1
_NEIGHBOR_TREES = {"BallTree": BallTree, "KDTree": KDTree}
# Classes of distances, each with the name by which a tree makes one.
_DISTANCES = {
    "ChebyshevDistance64": "chebyshev",
    "EuclideanDistance64": "euclidean",
    "ManhattanDistance64": "manhattan",
}


def take_tree(tree: Tree) -> dict[str, Any]:
    """Nodes and values of a decision tree."""
    state = tree.__getstate__()
    nodes = state["nodes"]
    return {
        "n_features": int(tree.n_features),
        "n_classes": np.asarray(tree.n_classes),
        "max_depth": int(state["max_depth"]),
        "values": state["values"],
        "nodes": {
            name: np.ascontiguousarray(nodes[name]) for name in nodes.dtype.names
        },
    }


def make_tree(state: dict[str, Any]) -> Tree:
    """A decision tree whose every path ends in a leaf."""
    n_classes = np.asarray(state["n_classes"], dtype=np.intp)
    empty = Tree(0, np.array([1], dtype=np.intp), 1).__getstate__()["nodes"]
    given, values = state["nodes"], np.ascontiguousarray(state["values"], np.float64)
    nodes = np.zeros(len(values), dtype=empty.dtype)
    for name in empty.dtype.names:
        nodes[name] = given[name]
    features = int(state["n_features"])
    inner = nodes["left_child"] != _LEAF
    _check_paths(nodes["left_child"], nodes["right_child"], inner)
    _check_below("features", nodes["feature"][inner], features)
    outputs, widest = len(n_classes), int(n_classes.max(initial=0))
    if n_classes.ndim != 1 or not outputs or n_classes.min() < 1 or features < 0:
        raise ModelFileError("Got a tree without outputs, expected one of a fit.")
    if values.shape != (len(nodes), outputs, widest):
        raise ModelFileError("Got values that are not those of a tree's nodes.")
    tree = Tree(features, n_classes, outputs)
    depth = int(state["max_depth"])
    tree.__setstate__(
        {"max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    )
    return tree


def _check_paths(left: np.ndarray, right: np.ndarray, inner: np.ndarray) -> None:
    """Children come after their parent, so that no path goes round."""
    own = np.flatnonzero(inner)
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        if (child <= own).any() or (child >= len(left)).any():
            raise ModelFileError(
                "Got a tree whose nodes lead nowhere, expected paths to leaves."
            )
    if not len(left):
        raise ModelFileError("Got a tree without nodes, expected at least a leaf.")


def _check_below(what: str, numbers: np.ndarray, limit: int) -> None:
    if (numbers < 0).any() or (numbers >= limit).any():
        raise ModelFileError(
            f"Got a tree with {what} beyond the {limit} there are, expected others."
        )


def _losses() -> dict[str, type]:
    """Compiled losses by name."""
    from sklearn._loss import _loss

    found: dict[str, type] = {}
    for module in (_loss, _sgd_fast):
        for name, kind in vars(module).items():
            compiled = isinstance(kind, type) and kind.__module__ == module.__name__
            if compiled and name != "CyLossFunction":
                found[f"{module.__name__}.{name}"] = kind
    return found


def take_loss(loss) -> dict[str, Any]:
    """Name and numbers of a loss."""
    kind = type(loss)
    made, args = loss.__reduce__()[:2]
    # The one without numbers is made by a function, of its class and state.
    numbers = list(args) if made is kind else []
    return {"name": f"{kind.__module__}.{kind.__qualname__}", "args": numbers}


def make_loss(state: dict[str, Any]) -> Any:
    """One of the losses of scikit-learn."""
    kind = _losses().get(state["name"])
    if kind is None:
        raise ModelFileError("Got an unknown loss, expected one of scikit-learn.")
    return kind(*(float(number) for number in state["args"]))


def take_neighbor_tree(tree) -> dict[str, Any]:
    """The points of a tree, which make it again."""
    state = tree.__getstate__()
    metric = type(state[11]).__name__
    if metric not in _DISTANCES or type(tree).__name__ not in _NEIGHBOR_TREES:
        raise ModelFileError(
            f"Got a {type(tree).__name__} with {metric}, expected a distance among "
            f"{sorted(_DISTANCES.values())}, or algorithm='brute'."
        )
    return {
        "kind": type(tree).__name__,
        "points": np.asarray(state[0]),
        "leaf_size": int(state[4]),
        "metric": _DISTANCES[metric],
        "weight": None if state[12] is None else np.asarray(state[12]),
    }


def make_neighbor_tree(state: dict[str, Any]) -> Any:
    """The tree of some points."""
    kind = _NEIGHBOR_TREES[state["kind"]]
    if state["metric"] not in _DISTANCES.values():
        raise ModelFileError("Got an unknown distance, expected one by name.")
    return kind(
        np.asarray(state["points"], dtype=np.float64),
        leaf_size=int(state["leaf_size"]),
        metric=state["metric"],
        sample_weight=state["weight"],
    )


# -- what compiled code takes for granted ----------------------------------------------


def check_estimator_state(estimator) -> None:
    """Refuse state that compiled code of scikit-learn would read out of bounds."""
    for kind, check in _CHECKS.items():
        if isinstance(estimator, kind):
            check(estimator)


def _check_decision_tree(estimator) -> None:
    tree = getattr(estimator, "tree_", None)
    if tree is None:
        return
    if not isinstance(tree, Tree) or tree.n_features != estimator.n_features_in_:
        raise ModelFileError("Got a tree for other features than its estimator has.")


def _check_boosting(estimator) -> None:
    for tree in np.ravel(getattr(estimator, "estimators_", [])):
        fits = isinstance(tree, BaseDecisionTree) and hasattr(tree, "tree_")
        if not fits or tree.tree_.n_features != estimator.n_features_in_:
            raise ModelFileError("Got a tree for other features than its ensemble has.")


def _check_hist_boosting(estimator) -> None:
    rounds = estimator.__dict__.get("_predictors", [])
    for tree in (tree for trees in rounds for tree in trees):
        if not isinstance(tree, TreePredictor):
            raise ModelFileError("Got something else than trees, expected trees.")
        nodes = tree.nodes[tree.nodes["is_leaf"] == 0]
        _check_below("features", nodes["feature_idx"], estimator.n_features_in_)
        levels = nodes["feature_idx"][nodes["is_categorical"] != 0]
        known = np.flatnonzero(estimator.__dict__["_bin_mapper"].is_categorical_)
        if not np.isin(levels, known).all():
            raise ModelFileError("Got categories of a feature that has none.")


def _check_predictor(tree) -> None:
    nodes, sets = tree.nodes, (tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets)
    fits = isinstance(nodes, np.ndarray) and nodes.dtype == PREDICTOR_RECORD_DTYPE
    if not fits or nodes.ndim != 1:
        raise ModelFileError("Got no nodes for a tree, expected those of a fit.")
    inner = nodes["is_leaf"] == 0
    _check_paths(nodes["left"], nodes["right"], inner)
    chosen = inner & (nodes["is_categorical"] != 0)
    for bits in sets:
        if np.shape(bits)[1:] != (8,) or np.asarray(bits).dtype != np.uint32:
            raise ModelFileError("Got no sets of categories, expected those of a fit.")
        _check_below("categories", nodes["bitset_idx"][chosen], len(bits))


def _check_support_vectors(estimator) -> None:
    state = estimator.__dict__
    if "support_" not in state:
        return
    vectors, dual = state["support_vectors_"], state["_dual_coef_"]
    n, counts = len(state["support_"]), state["_n_support"]
    classes = max(len(counts), 2)
    fits = (
        vectors.shape == (n if vectors.size else len(vectors), estimator.shape_fit_[1])
        and dual.shape == (classes - 1, n)
        and (counts.sum() == n or len(state["_intercept_"]) == 1)
        and len(state["_intercept_"]) in (1, classes * (classes - 1) // 2)
        and len(state["_probA"]) in (0, len(state["_intercept_"]))
        and len(state["_probB"]) == len(state["_probA"])
    )
    if not fits or (counts < 0).any():
        raise ModelFileError("Got support vectors that do not fit together.")


def _check_vectorizer(vectorizer) -> None:
    if vectorizer.input != "content":
        raise ModelFileError(
            "Got a vectorizer whose input is not 'content', which reads files, "
            "expected one of text."
        )


_CHECKS = {
    BaseDecisionTree: _check_decision_tree,
    BaseGradientBoosting: _check_boosting,
    BaseHistGradientBoosting: _check_hist_boosting,
    TreePredictor: _check_predictor,
    BaseLibSVM: _check_support_vectors,
    CountVectorizer: _check_vectorizer,
    HashingVectorizer: _check_vectorizer,
}
