"""
Lines on two logarithmic axes, as an SVG that reads in light and in dark: it
brings both sets of colours and follows its viewer's preference.
"""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 78, 128, 56, 62     # margins of the field
LINE = 17                                       # between labels, at least

# name: (light, dark, dashes, marker)
STYLES = {
    "kennel": ("#0a58ca", "#6ea8fe", "", "circle"),
    "floor": ("#5f6670", "#a3acb8", "5 4", "cross"),
    "bun": ("#b3470b", "#f6a268", "", "square"),
    "node-ws": ("#18794e", "#63d297", "", "triangle"),
    "node-cluster": ("#7a3fc0", "#c6a0ff", "", "diamond"),
    "nchan": ("#b0185f", "#ff8cc0", "", "plus"),
}
SPARE = ("#333333", "#dddddd", "2 3", "circle")

STYLE = """\
text { font: 13px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  fill: var(--ink) }
.title { font-size: 16px; font-weight: 600 }
.tick, .note { fill: var(--dim) }
.note { font-size: 12px }
.name { font-weight: 600 }
.back { fill: var(--back) }
.grid { stroke: var(--grid); stroke-width: 1 }
.axis { stroke: var(--dim); stroke-width: 1; fill: none }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.thick { stroke-width: 3 }
.range { stroke-width: 1; opacity: .55 }
.dot { stroke-width: 2 }
"""


class Axis:
    """Values from low to high onto pixels from a to b."""

    def __init__(self, low, high, a, b):
        self.low, self.high, self.a, self.b = low, high, a, b

    def at(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.a + part * (self.b - self.a)


def steps(low, high):
    """Round values from low to high: 1, 10, 100; more if that is few."""
    decades = range(math.floor(math.log10(low)),
                    math.ceil(math.log10(high)) + 1)
    many = math.log10(high / low)
    digits = (1, 2, 3, 5, 7) if many < 1.1 else (1, 2, 5) if many < 2.5 \
        else (1,)
    return [d * 10.0 ** e for e in decades for d in digits
            if low * 0.999 <= d * 10.0 ** e <= high * 1.001]


def number(value):
    return f"{value:,.0f}".replace(",", "\u202f") if value >= 1 \
        else f"{value:g}"


def spread(wanted):
    """Heights near the wanted ones, in their order, LINE apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    got = [wanted[i] for i in order]
    for _ in range(200):
        for i in range(1, len(got)):
            lack = LINE - (got[i] - got[i - 1])
            if lack > 0:
                got[i - 1] -= lack / 2
                got[i] += lack / 2
    result = [0.0] * len(wanted)
    for i, y in zip(order, got):
        result[i] = y
    return result


def marker(kind, x, y):
    r = 4
    shapes = {
        "square": f"M{x-r:.1f},{y-r:.1f}h{2*r}v{2*r}h{-2*r}z",
        "triangle": f"M{x:.1f},{y-r-1:.1f}l{r+1},{2*r}h{-2*r-2}z",
        "diamond": f"M{x:.1f},{y-r-1:.1f}l{r+1},{r+1}l{-r-1},{r+1}"
                   f"l{-r-1},{-r-1}z",
        "cross": f"M{x-r:.1f},{y-r:.1f}l{2*r},{2*r}m0,{-2*r}l{-2*r},{2*r}",
        "plus": f"M{x-r:.1f},{y:.1f}h{2*r}m{-r},{-r}v{2*r}",
        "circle": f"M{x-r:.1f},{y:.1f}a{r},{r} 0 1,0 {2*r},0"
                  f"a{r},{r} 0 1,0 {-2*r},0z",
    }
    return shapes[kind]


def variables(names, which):
    base = (("ink", "back", "dim", "grid"),
            (("#1f2328", "#ffffff", "#59636e", "#d8dee4"),
             ("#e6edf3", "#0d1117", "#9198a1", "#2b323b"))[which])
    pairs = list(zip(*base)) + [
        (f"c{i}", STYLES.get(n, SPARE)[which]) for i, n in enumerate(names)]
    return "".join(f"--{k}: {v}; " for k, v in pairs)


def frame(title, note, x_name, y_name, x, y, x_ticks):
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>'
    yield f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>'
    yield f'<text class="note" x="{LEFT}" y="43">{escape(note)}</text>'
    for value in steps(y.low, y.high):
        h = y.at(value)
        yield (f'<path class="grid" d="M{LEFT},{h:.1f}H{WIDTH-RIGHT}"/>'
               f'<text class="tick" x="{LEFT-8}" y="{h+4:.1f}" '
               f'text-anchor="end">{number(value)}</text>')
    for value, label in x_ticks:
        w = x.at(value)
        yield (f'<path class="grid" d="M{w:.1f},{TOP}V{HEIGHT-BOTTOM}"/>'
               f'<text class="tick" x="{w:.1f}" y="{HEIGHT-BOTTOM+20}" '
               f'text-anchor="middle">{escape(label)}</text>')
    yield (f'<path class="axis" d="M{LEFT},{TOP}V{HEIGHT-BOTTOM}'
           f'H{WIDTH-RIGHT}"/>')
    yield (f'<text x="{middle}" y="{HEIGHT-16}" text-anchor="middle">'
           f'{escape(x_name)}</text>')
    yield (f'<text transform="translate(20,{(TOP+HEIGHT-BOTTOM)/2}) '
           f'rotate(-90)" text-anchor="middle">{escape(y_name)}</text>')


def line(i, name, points, x, y, label_y):
    dashes, kind = STYLES.get(name, SPARE)[2:]
    at = [(x.at(p[0]), y.at(p[2])) for p in points]
    colour = f"stroke: var(--c{i})"
    yield f'<g style="{colour}"><title>{escape(name)}</title>'
    for p in points:
        w = x.at(p[0])
        yield (f'<path class="range" d="M{w:.1f},{y.at(p[1]):.1f}'
               f'V{y.at(p[3]):.1f}"/>')
    yield (f'<polyline class="line{" thick" if name == "kennel" else ""}" '
           f'stroke-dasharray="{dashes or "none"}" points="' +
           " ".join(f"{a:.1f},{b:.1f}" for a, b in at) + '"/>')
    fill = "none" if kind in ("cross", "plus") else f"var(--c{i})"
    for a, b in at:
        yield (f'<path class="dot" style="fill: {fill}" '
               f'd="{marker(kind, a, b)}"/>')
    yield "</g>"
    a, b = at[-1]
    edge = WIDTH - RIGHT + 10
    yield (f'<path class="range" style="{colour}" d="M{a+6:.1f},{b:.1f}'
           f'L{edge:.1f},{label_y:.1f}"/>'
           f'<text class="name" style="fill: var(--c{i})" x="{edge+4}" '
           f'y="{label_y+4:.1f}">{escape(name)}</text>')


def plot(title, note, x_name, y_name, x_ticks, series):
    """
    series: {name: [(x, lowest, middle, highest), ...]}, all above 0;
    x_ticks: [(x, label), ...].
    """
    series = {n: p for n, p in series.items() if p}
    points = [p for s in series.values() for p in s]
    xs = [p[0] for p in points] + [t[0] for t in x_ticks]
    low, high = min(p[1] for p in points), max(p[3] for p in points)
    x = Axis(min(xs), max(xs), LEFT + 14, WIDTH - RIGHT - 6)
    y = Axis(low / 1.25, high * 1.25, HEIGHT - BOTTOM, TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
           f'{HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{escape(title)}</title>",
           "<style>", f"svg {{ {variables(series, 0)}}}",
           "@media (prefers-color-scheme: dark) { svg { "
           f"{variables(series, 1)}}} }}", STYLE + "</style>"]
    out += frame(title, note, x_name, y_name, x, y, x_ticks)
    labels = spread([y.at(s[-1][2]) for s in series.values()])
    for i, (name, s) in enumerate(series.items()):
        out += line(i, name, s, x, y, labels[i])
    return "\n".join([*out, "</svg>", ""])
