"""Rows with labels, weights, groups and folds, and the estimators that see them."""
