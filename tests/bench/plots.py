"""What a message costs against size and number: measured, and drawn."""
import json
import math
import os

import rows
import svg
import table

ALL = ("floor", "kennel", "bun", "node-ws", "nchan")


class Plot:
    """
    For a point of the axis, servers(x) is {kind: options}, and load(x) the
    load's arguments, connections and messages, and whether these are those of
    all (see Row).  ticks are [(x, label), ...].
    """

    def __init__(self, name, title, note, x_name, ticks, servers, load):
        self.name, self.title, self.note = name, title, note
        self.x_name, self.ticks = x_name, ticks
        self.servers, self.load = servers, load


def same(*kinds):
    return lambda x: {kind: {} for kind in kinds}


def numbers(*values):
    return [(v, svg.number(v)) for v in values]


def bytes_(*values):
    return [(v, f"{v} B" if v < 1024 else f"{v // 1024} KiB") for v in values]


def spread_over(conns):
    """A group of so many over x processes."""
    return lambda x: {
        "kennel": dict(shards=x, limit=math.ceil(conns / x), redis="auto"),
        "node-cluster": dict(workers=x)}


def fan(conns, messages, groups=1):
    return [*rows.FAN, "--groups", str(groups)], conns, messages, False


# No more than 9 800 groups of two: a process may have 20 000 descriptors.
PLOTS = {p.name: p for p in (
    Plot("group-size", "One group that grows",
         "One member speaks, all others hear it; one message at a time.",
         "members of the group", numbers(10, 30, 100, 300, 1000, 3000, 10000),
         same(*ALL), lambda x: fan(x, max(10, 60000 // x))),
    Plot("groups", "More and more groups of two",
         "In each, one message at a time is on its way from one to the other.",
         "groups", numbers(1, 10, 100, 1000, 9800), same(*ALL),
         lambda x: fan(2 * x, max(4, 30000 // x), x)),
    Plot("size", "Larger messages",
         "Echo; 50 connections, one message at a time each.",
         "size of a message", bytes_(16, 64, 256, 1024, 4096, 16384, 65536),
         same("floor", "kennel", "bun", "node-ws"),
         lambda x: (["--mode", "echo", "--size", str(x)], 50,
                    max(3000, min(40000, 40000000 // x)), True)),
    Plot("shards", "One group of 961 over more and more processes",
         "One member speaks, all others hear it, wherever they are; Redis "
         "is counted.",
         "shards, or workers of the cluster", numbers(1, 2, 4, 8, 16),
         spread_over(961), lambda x: fan(961, 60)),
    Plot("shards-whisper", "Whispers between more and more processes",
         "241 pairs, each apart from 2 processes on; Redis is counted. Kennel "
         "looks up in it beyond 8 neighbours.",
         "shards, or workers of the cluster", numbers(1, 2, 4, 8, 16),
         spread_over(482),
         lambda x: (rows.WHISPER, 482, 20000, True)),
)}


def point(plot, x, label, chosen, scale):
    """A row for the table."""
    load, conns, messages, many = plot.load(x)
    chosen = {k: v for k, v in plot.servers(x).items() if k in chosen}
    return rows.Row(f"{plot.name} {label}", load, chosen, conns,
                    math.ceil(messages * scale), many=many)


def measure(plot, pool, count, report, chosen, scale):
    """{kind: [[x, lowest, median, highest], ...]}."""
    series = {}
    for x, label in plot.ticks:
        row = point(plot, x, label, chosen, scale)
        got = table.rounds(row, pool, count, row.args(), report.missing)
        report.row(row, got)
        for kind, r in got.items():
            if isinstance(r, list):
                costs = [one["cost"] for one in r]
                series.setdefault(kind, []).append(
                    [x, min(costs), table.median(r, "cost"), max(costs)])
        for kind, options in row.servers.items():
            if options:                 # the next point has others
                pool.drop(kind, options)
    return series


def draw(plot, series):
    return svg.plot(plot.title, plot.note, plot.x_name,
                    "CPU time of the server for each message, \u00b5s",
                    plot.ticks, series)


def kept(directory):
    """What was measured there before: {plot: series}."""
    try:
        with open(f"{directory}/figures.json") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def redraw(directory):
    for name, series in kept(directory).items():
        with open(f"{directory}/{name}.svg", "w") as f:
            f.write(draw(PLOTS[name], series))


def run(names, pool, count, directory, report, chosen, scale):
    """Measures and draws all of them, or those named."""
    os.makedirs(directory, exist_ok=True)
    for name in names or PLOTS:
        series = measure(PLOTS[name], pool, count, report, chosen, scale)
        figures = {**kept(directory), name: series}
        with open(f"{directory}/figures.json", "w") as f:
            f.write("{\n" + ",\n".join(
                f"{json.dumps(n)}: {json.dumps(s)}"
                for n, s in figures.items()) + "\n}\n")
        redraw(directory)
