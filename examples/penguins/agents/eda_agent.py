"""Explores the data: what is in each column, what is missing, how the measurements spread by species."""
import statistics
from collections import Counter

from common import COLUMNS, FEATURES, SPECIES, log, read_rows, run_agent, write_json


def profile_data(task):
    rows = read_rows(task.param("path", str))
    columns = {column: profile_column([row[column] for row in rows], column in FEATURES) for column in COLUMNS}
    for name, column in columns.items():
        log(f"{name}: {column['missing']} of {len(rows)} missing, {column['distinct']} distinct values")
    profile = {
        "rows": len(rows),
        "columns": columns,
        "islands": {
            island: Counter(row["species"] for row in rows if row["island"] == island)
            for island in sorted({row["island"] for row in rows if row["island"]})
        },
        "correlation": correlations(rows),
        "correlation_by_species": {s: correlations([row for row in rows if row["species"] == s]) for s in SPECIES},
        "by_species": {
            feature: {species: spread([r[feature] for r in rows if r["species"] == species]) for species in SPECIES}
            for feature in FEATURES
        },
    }
    return {
        "profile": write_json(task.run_dir / "profile.json", profile),
        "rows": len(rows),
        "columns": len(COLUMNS),
        "missing_values": sum(column["missing"] for column in columns.values()),
    }


def profile_column(values, numeric):
    present = [value for value in values if value is not None]
    column = {"missing": len(values) - len(present), "distinct": len(set(present)), "kind": "number" if numeric else "category"}
    if numeric:
        column.update(spread(present))
    else:
        column["counts"] = dict(Counter(present).most_common())
    return column


def spread(values):
    """The range, middle and width of some numbers; empty if there are too few to tell."""
    values = sorted(value for value in values if value is not None)
    if len(values) < 2:
        return {}
    deviation = statistics.stdev(values)
    return {
        "min": values[0],
        "max": values[-1],
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "deviation": deviation,
    }


def correlations(rows):
    """Pearson's r of each pair of measurements, over the rows that have all of them."""
    complete = [row for row in rows if all(row[feature] is not None for feature in FEATURES)]
    series = {feature: [row[feature] for row in complete] for feature in FEATURES}
    return [[pearson(series[a], series[b]) for b in FEATURES] for a in FEATURES]


def pearson(xs, ys):
    if len(xs) < 2:
        return 0.0
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
    spread_x = sum((x - mean_x) ** 2 for x in xs)
    spread_y = sum((y - mean_y) ** 2 for y in ys)
    return covariance / (spread_x * spread_y) ** 0.5 if spread_x and spread_y else 0.0


run_agent({"profile_data": profile_data})
