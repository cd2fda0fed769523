"""Measures the trained models on the test rows, which no model has seen, and names the winner."""
import math
import random
import statistics

from common import FEATURES, SPECIES, features_and_labels, log, read_json, read_rows, run_agent, write_json
from models import KINDS, count_right, fit_scaler, predict, scale

IMPORTANCE_REPEATS = 20
MAP_COLUMNS, MAP_ROWS = 60, 48
MAP_NEIGHBOURS = 5


def evaluate_models(task):
    files = task.param("models", list, lambda m: m and all(type(path) is str for path in m), "a list of model files")
    map_features = task.param(
        "map_features", list, lambda m: len(m) == 2 and m[0] != m[1] and all(f in FEATURES for f in m), f"two of {', '.join(FEATURES)}"
    )
    seed = task.param("seed", int)
    train_rows, train_labels = features_and_labels(read_rows(task.param("train", str)))
    test = read_rows(task.param("test", str))
    rows, labels = features_and_labels(test)
    plane = plan_map(train_rows, rows, [FEATURES.index(feature) for feature in map_features])

    models = []
    for model in map(read_json, files):
        name, fitted = model["kind"], model["fitted"]
        predicted = [predict(name, fitted, row) for row in rows]
        result = {key: value for key, value in model.items() if key != "fitted"}
        result.update(measure(labels, predicted))
        result["title"] = KINDS[name].title
        result["losses"] = fitted.get("losses", [])
        result["predicted"] = predicted
        result["importance"] = permutation_importance(name, fitted, rows, labels, seed)
        result["map"] = [[SPECIES.index(predict(name, fitted, cell)) for cell in line] for line in plane["cells"]]
        models.append(result)
        log(f"{result['title']}: {result['correct']} of {len(rows)} test rows right, accuracy {result['accuracy']:.4f}")

    # By cross-validation, not by the test rows: choosing by them would make the winner's test accuracy look better than it is.
    winner = max(models, key=lambda m: m["cv_accuracy"])
    log(f"winner by cross-validation: {winner['title']}")
    evaluation = {
        "models": models,
        "winner": winner["kind"],
        "test": test,
        "train_rows": len(train_rows),
        "baseline": sum(label == max(SPECIES, key=train_labels.count) for label in labels) / len(labels),
        "baseline_species": max(SPECIES, key=train_labels.count),
        "map": {"x": plane["x"], "y": plane["y"], "features": map_features, "neighbours": MAP_NEIGHBOURS},
        "importance_repeats": IMPORTANCE_REPEATS,
    }
    return {
        "evaluation": write_json(task.run_dir / "evaluation.json", evaluation),
        "winner": winner["kind"],
        "winner_test_accuracy": round(winner["accuracy"], 4),
        "test_accuracy": {m["kind"]: round(m["accuracy"], 4) for m in models},
    }


def measure(labels, predicted):
    """Accuracy with its 95 % interval, the confusion matrix (a row per true species), and the figures of each species."""
    confusion = [[0] * len(SPECIES) for _ in SPECIES]
    for label, guess in zip(labels, predicted):
        confusion[SPECIES.index(label)][SPECIES.index(guess)] += 1
    correct = sum(confusion[i][i] for i in range(len(SPECIES)))
    classes = {}
    for i, species in enumerate(SPECIES):
        guessed = sum(row[i] for row in confusion)
        precision = confusion[i][i] / guessed if guessed else 0.0
        recall = confusion[i][i] / sum(confusion[i])
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        classes[species] = {"precision": precision, "recall": recall, "f1": f1, "rows": sum(confusion[i])}
    return {
        "accuracy": correct / len(labels),
        "correct": correct,
        "interval": wilson(correct, len(labels)),
        "confusion": confusion,
        "classes": classes,
        "macro_f1": statistics.fmean(c["f1"] for c in classes.values()),
    }


def wilson(right, total, z=1.96):
    """Wilson's 95 % interval of a share: also right for shares near 1."""
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return [max(0.0, middle - half), min(1.0, middle + half)]


def permutation_importance(name, fitted, rows, labels, seed):
    """How much accuracy is lost, on average, when one measurement is shuffled among the test rows."""
    shuffler = random.Random(seed)
    whole = count_right(name, fitted, rows, labels)
    losses = {}
    for i, feature in enumerate(FEATURES):
        drops = []
        for _ in range(IMPORTANCE_REPEATS):
            column = [row[i] for row in rows]
            shuffler.shuffle(column)
            shuffled = [row[:i] + [value] + row[i + 1:] for row, value in zip(rows, column)]
            drops.append((whole - count_right(name, fitted, shuffled, labels)) / len(rows))
        losses[feature] = {"mean": statistics.fmean(drops), "deviation": statistics.stdev(drops)}
    return losses


def plan_map(train_rows, test_rows, axes):
    """Made-up penguins on a grid over two measurements, to ask each model what it sees there.

    The other two measurements are those of the nearest training penguins in that plane, on average, so that each is a likely bird.
    """
    scaler = fit_scaler(train_rows)
    points = [[scale(scaler, row)[axis] for axis in axes] for row in train_rows]
    ranges = []
    for axis in axes:
        values = [row[axis] for row in train_rows + test_rows]
        margin = (max(values) - min(values)) * 0.06
        ranges.append([min(values) - margin, max(values) + margin])
    cells = []
    for line in range(MAP_ROWS):
        cells.append([])
        for column in range(MAP_COLUMNS):
            at = [middle_of(ranges[0], column, MAP_COLUMNS), middle_of(ranges[1], line, MAP_ROWS)]
            scaled = [(v - scaler["mean"][axis]) / scaler["deviation"][axis] for v, axis in zip(at, axes)]
            nearest = sorted(range(len(points)), key=lambda i: math.dist(points[i], scaled))[:MAP_NEIGHBOURS]
            bird = [statistics.fmean(train_rows[i][feature] for i in nearest) for feature in range(len(FEATURES))]
            for value, axis in zip(at, axes):
                bird[axis] = value
            cells[-1].append(bird)
    return {"x": ranges[0], "y": ranges[1], "cells": cells}


def middle_of(interval, index, count):
    return interval[0] + (index + 0.5) * (interval[1] - interval[0]) / count


run_agent({"evaluate_models": evaluate_models})
