"""The report's charts of the data. Each function gives one SVG image as text."""
import math
import statistics

from common import COLUMNS, FEATURES, NAMES, SPECIES
from svg import BLUE, COLOURS, INK, MUTED, RED, Plot, image, legend, line, mark, padded, path, rect, text


def missing_map(rows):
    """A line for each column, a tick for each row where its value is missing."""
    left, width, step = 130, 820, 21
    parts = []
    for i, column in enumerate(COLUMNS):
        y = 8 + i * step
        absent = [index for index, row in enumerate(rows) if row[column] is None]
        parts.append(text(left - 10, y + 11, column, anchor="end", fill=INK))
        parts.append(rect(left, y, width, step - 7, "#dfe9f3"))
        parts += [
            rect(left + index / len(rows) * width, y, max(2.4, width / len(rows)), step - 7, RED, f"row {index + 1}: no {column}")
            for index in absent
        ]
        parts.append(text(left + width + 10, y + 11, f"{len(absent)} missing" if absent else "complete"))
    bottom = 8 + len(COLUMNS) * step
    parts.append(text(left, bottom + 12, "row 1", 11))
    parts.append(text(left + width, bottom + 12, f"row {len(rows)}", 11, anchor="end"))
    return image(left + width + 90, bottom + 18, "Missing values by row", parts)


def islands(counts):
    """How many penguins of each species on each island, as stacked bars."""
    left, width, step = 84, 330, 44
    most = max(sum(by_species.values()) for by_species in counts.values())
    parts = [legend(left + 5, 16, SPECIES)]
    for i, (island, by_species) in enumerate(counts.items()):
        x, y = left, 34 + i * step
        parts.append(text(left - 10, y + 18, island, 13, anchor="end", fill=INK))
        for species in SPECIES:
            size = by_species.get(species, 0) / most * width
            if size:
                parts.append(rect(x, y, size, 28, COLOURS[species], f"{by_species[species]} {species} on {island}"))
                parts.append(text(x + size / 2, y + 18, by_species[species], 12, "#fff", "middle", font_weight=600))
            x += size
    return image(left + width + 16, 40 + len(counts) * step, "Penguins by island and species", parts)


def density(rows, feature):
    """The spread of one measurement in each species: Gaussian kernel density estimates."""
    values = {s: [r[feature] for r in rows if r["species"] == s and r[feature] is not None] for s in SPECIES}
    low, high = padded([v for group in values.values() for v in group], 0.12)
    steps = [low + (high - low) * i / 120 for i in range(121)]
    curves = {}
    for species, group in values.items():
        width = 1.06 * statistics.stdev(group) * len(group) ** -0.2
        scale = len(group) * width * math.sqrt(2 * math.pi)
        curves[species] = [sum(math.exp(-0.5 * ((x - v) / width) ** 2) for v in group) / scale for x in steps]
    plot = Plot(500, 230, (low, high), (0, max(map(max, curves.values())) * 1.08), left=16, top=34)
    plot.x_axis(NAMES[feature], 6)
    plot.add(legend(plot.left + 8, 18, SPECIES))
    for species, curve in curves.items():
        points = [(plot.x(x), plot.y(y)) for x, y in zip(steps, curve)]
        plot.add(path(points, fill=COLOURS[species], fill_opacity=0.22, stroke=COLOURS[species], stroke_width=2))
    plot.add(line(plot.left, plot.bottom, plot.right, plot.bottom, MUTED))
    return plot.svg(f"{NAMES[feature]} by species")


def scatter(rows, x, y):
    shown = [row for row in rows if row[x] is not None and row[y] is not None]
    plot = Plot(500, 380, padded([r[x] for r in shown]), padded([r[y] for r in shown]), left=58, top=34)
    plot.x_axis(NAMES[x], 6)
    plot.y_axis(NAMES[y], 6)
    plot.add(legend(plot.left + 8, 18, SPECIES))
    for row in shown:
        tip = f"{row['species']}, {row['island']}: {row[x]:g} and {row[y]:g}"
        plot.add(mark(plot.x(row[x]), plot.y(row[y]), row["species"], tip, fill_opacity=0.8))
    return plot.svg(f"{NAMES[y]} against {NAMES[x]}")


def correlation(matrix):
    left, cell = 128, 74
    parts = []
    for i, feature in enumerate(FEATURES):
        name = NAMES[feature].split(" (")[0]
        parts.append(text(left - 10, 34 + i * 46 + 27, name, anchor="end", fill=INK))
        first, second = name.split()
        parts.append(text(left + i * cell + cell / 2, 12, first, 11, anchor="middle", fill=INK))
        parts.append(text(left + i * cell + cell / 2, 26, second, 11, anchor="middle", fill=INK))
        for j, r in enumerate(matrix[i]):
            colour = BLUE if r > 0 else RED
            parts.append(rect(left + j * cell, 34 + i * 46, cell - 2, 44, "#fff"))
            parts.append(rect(left + j * cell, 34 + i * 46, cell - 2, 44, colour, fill_opacity=0.08 + 0.77 * abs(r)))
            ink = "#fff" if abs(r) > 0.8 else INK
            parts.append(text(left + j * cell + cell / 2 - 1, 34 + i * 46 + 27, f"{r:+.2f}", 13, ink, "middle"))
    return image(left + 4 * cell + 4, 34 + 4 * 46, "Correlation of the measurements", parts)
