"""Drawing primitives: SVG elements, a plot with axes, and one colour and one mark for each species."""
import math
from html import escape

COLOURS = {"Adelie": "#e8770c", "Chinstrap": "#8b3fc4", "Gentoo": "#0f7b7b"}
INK, MUTED, GRID, BLUE, RED = "#1d2733", "#5d6b7a", "#e3e7eb", "#2f6db5", "#c2341d"


def element(name, content="", **attributes):
    """One SVG element. `stroke_width=2` becomes `stroke-width="2"`, `class_="x"` becomes `class="x"`; numbers are rounded."""
    parts = []
    for key, value in attributes.items():
        shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{escape(str(shown))}"')
    return f"<{name}{''.join(parts)}>{content}</{name}>"


def text(x, y, words, size=12, fill=MUTED, anchor="start", **attributes):
    return element("text", escape(str(words)), x=float(x), y=float(y), font_size=size, fill=fill, text_anchor=anchor, **attributes)


def line(x1, y1, x2, y2, stroke=GRID, **attributes):
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke=stroke, **attributes)


def rect(x, y, width, height, fill, tip="", **attributes):
    return element("rect", title(tip), x=float(x), y=float(y), width=float(width), height=float(height), fill=fill, **attributes)


def path(points, **attributes):
    return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), **attributes)


def title(words):
    """What a browser shows while the pointer rests on the element."""
    return f"<title>{escape(words)}</title>" if words else ""


def image(width, height, label, parts):
    return element(
        "svg", "".join(parts), viewBox=f"0 0 {width} {height}", width=width, height=height, role="img", aria_label=label,
        style=f"min-width: {0.6 * width:.0f}px",  # on a narrow screen the card scrolls, and words stay readable
    )


def mark(x, y, species, tip="", size=3.6, **attributes):
    """Each species has its own shape as well, for readers who do not see the colours apart."""
    style = {"fill": COLOURS[species], "stroke": "#fff", "stroke_width": 0.8, **attributes}
    if species == "Adelie":
        return element("circle", title(tip), cx=float(x), cy=float(y), r=float(size), **style)
    if species == "Chinstrap":
        corners = [(x, y - size * 1.25), (x + size * 1.15, y + size * 0.85), (x - size * 1.15, y + size * 0.85)]
        return element("polygon", title(tip), points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), **style)
    return rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, style.pop("fill"), tip, **style)


def legend(x, y, names, gap=96):
    return "".join(mark(x + i * gap, y - 4, name, size=4.5) + text(x + i * gap + 10, y, name) for i, name in enumerate(names))


def percent(share, digits=1):
    return f"{100 * share:.{digits}f}\u00a0%"  # no line break before the sign


def padded(values, share=0.06):
    """A range that holds the values with some air around them."""
    low, high = min(values), max(values)
    margin = (high - low) * share or 1.0
    return low - margin, high + margin


def ticks(low, high, wanted):
    """Round numbers from `low` to `high`, about as many as wanted."""
    raw = (high - low) / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


class Plot:
    """A drawing area with axes; `x` and `y` turn data into positions."""

    def __init__(self, width, height, x_range, y_range, left=46, right=14, top=14, bottom=42):
        self.width, self.height = width, height
        self.x_range, self.y_range = x_range, y_range
        self.left, self.right, self.top, self.bottom = left, width - right, top, height - bottom
        self.parts = []

    def x(self, value):
        return self.left + (value - self.x_range[0]) / (self.x_range[1] - self.x_range[0]) * (self.right - self.left)

    def y(self, value):
        return self.bottom - (value - self.y_range[0]) / (self.y_range[1] - self.y_range[0]) * (self.bottom - self.top)

    def add(self, *parts):
        self.parts += parts

    def x_axis(self, label, wanted=5, show="{:g}".format):
        for tick in ticks(*self.x_range, wanted):
            self.add(line(self.x(tick), self.top, self.x(tick), self.bottom))
            self.add(text(self.x(tick), self.bottom + 16, show(tick), 11, anchor="middle"))
        self.add(text((self.left + self.right) / 2, self.height - 6, label, anchor="middle", fill=INK))

    def y_axis(self, label, wanted=5, show="{:g}".format):
        for tick in ticks(*self.y_range, wanted):
            self.add(line(self.left, self.y(tick), self.right, self.y(tick)))
            self.add(text(self.left - 7, self.y(tick) + 4, show(tick), 11, anchor="end"))
        middle = (self.top + self.bottom) / 2
        self.add(text(12, middle, label, anchor="middle", fill=INK, transform=f"rotate(-90 12 {middle:.0f})"))

    def svg(self, label):
        return image(self.width, self.height, label, self.parts)
