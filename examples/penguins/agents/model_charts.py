"""The report's charts of the models. Each function gives one SVG image as text."""
import math

from common import FEATURES, NAMES, SPECIES
from svg import BLUE, COLOURS, INK, MUTED, RED, Plot, image, line, mark, path, percent, rect, text


def comparison(models, winner, baseline):
    """Accuracy of each model: in cross-validation, and on the test rows with its interval."""
    lowest = min(min(m["interval"][0], m["cv_accuracy"]) for m in models)
    plot = Plot(1040, 64 + 46 * len(models), (math.floor(lowest * 20 - 0.5) / 20, 1.0), (0, len(models)), left=180, right=96, top=30)
    plot.x_axis("Accuracy", 8, lambda share: percent(share, 0))
    x = plot.left
    plot.add(line(x, 14, x + 26, 14, BLUE, stroke_width=3), rect(x + 8, 9, 10, 10, BLUE, rx=5))
    plot.add(text(x + 34, 18, "on the test rows, with its 95 % interval"))
    plot.add(rect(x + 292, 9, 9, 9, "#fff", stroke=INK, stroke_width=2, transform=f"rotate(45 {x + 296.5} 13.5)"))
    plot.add(text(x + 310, 18, "in cross-validation on the training rows (chooses the winner)"))
    for i, model in enumerate(models):
        y = plot.y(len(models) - i - 0.5)
        best = model["kind"] == winner
        weight = 700 if best else 400
        plot.add(text(plot.left - 12, y + 4, model["title"], 13, INK, "end", font_weight=weight))
        low, high = map(plot.x, model["interval"])
        plot.add(line(low, y, high, y, BLUE, stroke_width=3, stroke_linecap="round"))
        tip = f"{model['title']}: {percent(model['accuracy'])} on the test rows"
        plot.add(rect(plot.x(model["accuracy"]) - 7, y - 7, 14, 14, BLUE, tip, rx=7, stroke="#fff", stroke_width=1.5))
        cx = plot.x(model["cv_accuracy"])
        plot.add(rect(cx - 5, y - 5, 10, 10, "#fff", f"{percent(model['cv_accuracy'])} in cross-validation", stroke=INK,
                      stroke_width=2, transform=f"rotate(45 {cx:.1f} {y:.1f})"))
        plot.add(text(plot.right + 12, y + 5, percent(model["accuracy"]), 14, INK, font_weight=weight))
    return plot.svg(f"Accuracy of the models; always naming the commonest species would give {percent(baseline)}")


def tuning(model):
    """Cross-validated accuracy of each setting that was tried."""
    accuracies = model["cv_accuracies"]
    low = min(accuracies) - 0.004
    plot = Plot(330, 200, (-0.5, len(accuracies) - 0.5), (low, min(1.0, max(accuracies) + 0.004)), left=72)
    plot.y_axis("CV accuracy", 4, percent)
    points = [(plot.x(i), plot.y(a)) for i, a in enumerate(accuracies)]
    plot.add(path(points, fill="none", stroke="#9fb6d1", stroke_width=2))
    for (x, y), value, accuracy in zip(points, model["candidates"], accuracies):
        chosen = value == model["value"]
        size = 6 if chosen else 3.5
        fill, ink, weight = (BLUE, INK, 700) if chosen else ("#9fb6d1", MUTED, 400)
        plot.add(rect(x - size, y - size, 2 * size, 2 * size, fill, f"{value:g}: {percent(accuracy, 2)}", rx=size))
        plot.add(text(x, plot.bottom + 16, f"{value:g}", 11, ink, "middle", font_weight=weight))
    caption = f"{model['setting']} (chosen: {model['value']:g})"
    plot.add(text((plot.left + plot.right) / 2, plot.height - 6, caption, anchor="middle", fill=INK))
    return plot.svg(f"Tuning of {model['title']}")


def loss_curve(losses):
    plot = Plot(1040, 230, (0, len(losses)), (0, losses[0] * 1.05), left=52)
    plot.x_axis("Epoch", 10)
    plot.y_axis("Mean log loss", 5)
    plot.add(path([(plot.x(i + 1), plot.y(loss)) for i, loss in enumerate(losses)], fill="none", stroke=BLUE, stroke_width=2.2))
    plot.add(text(plot.right - 4, plot.y(losses[-1]) - 8, f"{losses[-1]:.3f}", 12, INK, "end", font_weight=600))
    return plot.svg("Training loss by epoch")


def confusion(model):
    left, top, cell, height = 92, 44, 78, 46
    parts = [text(left + 1.5 * cell, 14, "named as", anchor="middle")]
    for i, species in enumerate(SPECIES):
        total = sum(model["confusion"][i])
        parts.append(text(left + (i + 0.5) * cell, 34, species, 12, COLOURS[species], "middle", font_weight=600))
        parts.append(text(left - 10, top + i * height + 27, species, 12, COLOURS[species], "end", font_weight=600))
        for j, count in enumerate(model["confusion"][i]):
            colour = "#0f7b4f" if i == j else RED
            share = count / total
            opacity = 0.0 if not count else 0.15 + 0.75 * share if i == j else min(0.9, 0.35 + 2.0 * share)
            x, y = left + j * cell, top + i * height
            tip = f"{count} of {total} {species} named {SPECIES[j]}"
            parts.append(rect(x, y, cell - 3, height - 3, "#f1f3f5"))
            parts.append(rect(x, y, cell - 3, height - 3, colour, tip, fill_opacity=opacity))
            ink = "#fff" if opacity > 0.6 else INK if count else "#9aa5b1"
            parts.append(text(x + cell / 2 - 1.5, y + 28, count, 16, ink, "middle", font_weight=600))
    return image(left + 3 * cell + 4, top + 3 * height + 4, f"Confusion matrix of {model['title']}", parts)


def importance(models):
    """How much accuracy each model loses when it cannot use one measurement."""
    left, right, group = 140, 96, 30 + 20 * len(models)
    top = max(0.05, max(i["mean"] for m in models for i in m["importance"].values()))
    shades = ["#1f4e85", "#5f93cc", "#b4cde8"]
    parts, width = [], 1040 - left - right
    for i, model in enumerate(models):
        parts.append(rect(left + i * 200, 6, 12, 12, shades[i % 3]))
        parts.append(text(left + i * 200 + 18, 16, model["title"]))
    for i, feature in enumerate(FEATURES):
        y = 34 + i * group
        parts.append(text(left - 12, y + 10 * len(models) + 4, NAMES[feature].split(" (")[0], 13, INK, "end"))
        for j, model in enumerate(models):
            drop = model["importance"][feature]["mean"]
            size = max(1.0, drop / top * width)
            parts.append(rect(left, y + j * 20, size, 17, shades[j % 3], f"{model['title']}: {percent(drop)}"))
            parts.append(text(left + size + 7, y + j * 20 + 13, f"{100 * drop:.1f} points"))
    return image(1040, 20 + len(FEATURES) * group, "Importance of the measurements", parts)


def decision_map(model, plan, test):
    """What the model would name a penguin of each bill, with the test rows on top and its errors ringed."""
    plot = Plot(345, 320, plan["x"], plan["y"], left=46, right=6)
    lines = model["map"]
    height = (plot.bottom - plot.top) / len(lines)
    width = (plot.right - plot.left) / len(lines[0])
    for i, cells in enumerate(lines):
        start = 0
        for end in range(1, len(cells) + 1):
            if end == len(cells) or cells[end] != cells[start]:
                plot.add(rect(plot.left + start * width, plot.bottom - (i + 1) * height, (end - start) * width, height,
                              COLOURS[SPECIES[cells[start]]], fill_opacity=0.2, shape_rendering="crispEdges"))
                start = end
    x, y = plan["features"]
    plot.x_axis(NAMES[x], 5)
    plot.y_axis(NAMES[y], 5)
    for row, guess in zip(test, model["predicted"]):
        at = plot.x(row[x]), plot.y(row[y])
        wrong = guess != row["species"]
        plot.add(mark(*at, row["species"], f"{row['species']}, named {guess}"))
        if wrong:
            plot.add(rect(at[0] - 8, at[1] - 8, 16, 16, "none", rx=8, stroke=RED, stroke_width=2.2))
    return plot.svg(f"Decision map of {model['title']}")
