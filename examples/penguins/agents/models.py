"""Three classifiers in plain Python. A model is a dict of numbers and lists, so that it can be kept as JSON.

Each kind has a `fit` and a `scores` function and one setting that is worth tuning. Whatever a model needs to know about the data,
also how to scale it, it learns in `fit` from the rows it is given, which are training rows only.
"""
import math
import statistics
from collections import defaultdict
from operator import mul, sub
from typing import Callable, NamedTuple

from common import SPECIES, TaskError


def fit_scaler(rows):
    """Mean and standard deviation of each measurement."""
    columns = list(zip(*rows))
    return {"mean": [statistics.fmean(c) for c in columns], "deviation": [statistics.pstdev(c) or 1.0 for c in columns]}


def scale(scaler, row):
    return [(value - mean) / deviation for value, mean, deviation in zip(row, scaler["mean"], scaler["deviation"])]


def fit_knn(rows, labels, k, options):
    scaler = fit_scaler(rows)
    return {"scaler": scaler, "k": k, "points": [scale(scaler, row) for row in rows], "labels": labels}


def knn_scores(model, row):
    """One vote for each of the k nearest training rows; the nearer of two species with as many votes wins."""
    point = scale(model["scaler"], row)
    nearest = sorted((math.dist(point, other), label) for other, label in zip(model["points"], model["labels"]))
    votes = defaultdict(float)
    for rank, (_, label) in enumerate(nearest[: model["k"]]):
        votes[label] += 1 + 1e-6 / (1 + rank)
    return [votes[species] for species in SPECIES]


def fit_bayes(rows, labels, smoothing, options):
    """Mean and variance of each measurement by species; `smoothing` widens them by that share of the overall variance."""
    overall = [statistics.pvariance(column) for column in zip(*rows)]
    species = []
    for name in SPECIES:
        columns = list(zip(*(row for row, label in zip(rows, labels) if label == name)))
        species.append({
            "prior": len(columns[0]) / len(rows),
            "mean": [statistics.fmean(column) for column in columns],
            "variance": [statistics.pvariance(c) + smoothing * v for c, v in zip(columns, overall)],
        })
    return {"species": species}


def bayes_scores(model, row):
    """The logarithm of prior times likelihood, each measurement taken as normal and independent of the others."""
    scores = []
    for species in model["species"]:
        score = math.log(species["prior"])
        for value, mean, variance in zip(row, species["mean"], species["variance"]):
            score -= 0.5 * (math.log(2 * math.pi * variance) + (value - mean) ** 2 / variance)
        scores.append(score)
    return scores


def fit_logistic(rows, labels, l2, options):
    """Multinomial logistic regression by full-batch gradient descent on scaled rows.

    `options` has `epochs` and `learning_rate`, and may have `start` (a model to go on from) and `on_epoch` (called with the model
    after each epoch).
    """
    scaler = fit_scaler(rows)
    points = [[1.0] + scale(scaler, row) for row in rows]
    columns = list(zip(*points))
    targets = [[float(label == species) for label in labels] for species in SPECIES]
    model = options.get("start") or {"scaler": scaler, "weights": [[0.0] * len(columns) for _ in SPECIES], "losses": []}
    while len(model["losses"]) < options["epochs"]:
        chances = list(zip(*(softmax([dot(w, point) for w in model["weights"]]) for point in points)))
        loss = 0.0
        for w, chance, target in zip(model["weights"], chances, targets):
            loss -= sum(math.log(max(c, 1e-15)) for c, t in zip(chance, target) if t)
            errors = list(map(sub, chance, target))
            for i, column in enumerate(columns):
                penalty = l2 * w[i] if i else 0.0  # the intercept is left free
                w[i] -= options["learning_rate"] * (dot(errors, column) / len(rows) + penalty)
        if not math.isfinite(loss):
            rate = options["learning_rate"]
            raise TaskError(f"params.learning_rate is {rate}: the loss grew past every number; choose a smaller one")
        model["losses"].append(loss / len(rows))
        if "on_epoch" in options:
            options["on_epoch"](model)
    return model


def logistic_scores(model, row):
    point = [1.0] + scale(model["scaler"], row)
    return softmax([dot(w, point) for w in model["weights"]])


def dot(xs, ys):
    return sum(map(mul, xs, ys))


def softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


class Kind(NamedTuple):
    title: str
    setting: str  # the name of the setting that is tuned
    valid: Callable
    wanted: str
    usual: list  # the settings to try when nobody says which, the simplest first
    fit: Callable
    scores: Callable


KINDS = {
    "knn": Kind(
        "k-nearest neighbours", "k", lambda k: type(k) is int and k > 0, "whole numbers above 0", [21, 15, 11, 7, 5, 3], fit_knn, knn_scores
    ),
    "bayes": Kind(
        "Gaussian naive Bayes", "smoothing", lambda s: type(s) in (int, float) and s > 0, "numbers above 0", [0.3, 0.1, 0.01, 0.001],
        fit_bayes, bayes_scores
    ),
    "logistic": Kind(
        "Logistic regression", "l2", lambda s: type(s) in (int, float) and s >= 0, "numbers from 0", [0.01, 0.001, 0], fit_logistic,
        logistic_scores
    ),
}


def predict(kind, model, row):
    scores = KINDS[kind].scores(model, row)
    return SPECIES[scores.index(max(scores))]


def count_right(kind, model, rows, labels):
    return sum(predict(kind, model, row) == label for row, label in zip(rows, labels))
