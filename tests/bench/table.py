"""Rounds of a row, in turns, and what they come to."""
import json
import statistics
import subprocess

from servers import NotStarted

PEERS_NOT = ("floor", "kennel", "kennel-nodes")


class Wrong(Exception):
    """Messages were lost, doubled or disordered, or a server failed."""


def load(server, args):
    """One run of the load generator: what it printed, flat."""
    who = []
    for option, pids in server.pids().items():
        if pids:
            who += ["--" + option, ",".join(map(str, pids))]
    p = subprocess.run(
        [f"{server.build}/tests/bench/load", "--port", str(server.port),
         *who, *args, *server.load_args], capture_output=True, text=True)
    if p.returncode != 0:
        raise Wrong((p.stderr.strip() or f"load ended with {p.returncode}")
                    .splitlines()[0])
    result = json.loads(p.stdout)
    for run in result["runs"]:
        run["server_us"] = run["cpu_us"] + run["gateway_us"]
        run["cost"] = run["server_us"] + run["redis_us"]
    if not result["runs"]:
        result["cost"] = result["bytes"] + result["gateway_bytes"] + \
            result["redis_bytes"]
    elif len(result["runs"]) == 1:
        result.update(result["runs"][0])
    return result


def rounds(row, pool, count, args, missing=lambda kind, why: None):
    """
    {name: [a result for each round]}, in turns; for one that failed, what
    went wrong.  A round that is not counted comes first: what compiles itself
    as it runs has done so by then.
    """
    got = {}
    for kind in (*row.servers, *pool.own):
        why = pool.missing(kind)
        if why:
            missing(kind, why)
        else:
            got[kind] = []
    for number in range(1 if row.fresh else 0, count + 1):
        for kind in got:
            if not isinstance(got[kind], list):
                continue
            server = None
            try:
                server = pool.get(kind, row.servers.get(kind, {}))
                result = load(server, args)
                if number > 0:
                    got[kind].append(result)
            except (Wrong, NotStarted) as e:
                got[kind] = str(e)
                if server:
                    pool.forget(server)
                continue
            if row.fresh:
                pool.forget(server)
    return got


def median(results, key):
    return statistics.median(r[key] for r in results)


def ratio(results, base):
    """Median of the rounds' ratios: what disturbed a round disturbed both."""
    pairs = [(a["cost"], b["cost"]) for a, b in zip(results, base)]
    if not pairs or any(b <= 0 for _, b in pairs):
        return None
    return statistics.median(a / b for a, b in pairs)


def best_peer(got):
    """Of those that run somewhere else, or None."""
    peers = [k for k in got if k not in PEERS_NOT and
             isinstance(got[k], list)]
    return min(peers, key=lambda k: median(got[k], "cost"), default=None)


def cell(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}".replace(",", " ")


HEADS = {
    "messages": ("cpu us", "redis us", "msg/s", "p50 us", "p99 us"),
    "memory": ("bytes", "gateway", "redis"),
}


def heading(what):
    return f"{'row':21}{'server':14}" + "".join(
        f"{h:>12}" for h in (*HEADS[what], "/floor", "/best peer"))


def figures(what, r):
    if what == "memory":
        gateway, redis = (median(r, k + "_bytes") for k in ("gateway", "redis"))
        return [cell(median(r, "bytes")), cell(gateway or None),
                cell(redis or None)]
    redis = median(r, "redis_us")
    return [cell(median(r, "server_us"), 3), cell(redis or None, 3),
            cell(median(r, "per_second")), cell(median(r, "p50_us")),
            cell(median(r, "p99_us"))]


def lines(row, got):
    """The row's lines of the table, one a server."""
    best = best_peer(got)
    for kind, r in got.items():
        start = f"{row.name:21}{kind:14}"
        if not isinstance(r, list):
            yield f"{start} error: {r}"
            continue
        ratios = [ratio(r, got[base]) if isinstance(got.get(base), list)
                  else None for base in ("floor", best)]
        yield start + "".join(
            f"{c:>12}" for c in (*figures(row.what, r),
                                 *(cell(x, 2) for x in ratios)))
