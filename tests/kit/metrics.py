"""What the admin listener says, read as strictly as Prometheus does."""
import os
import re

from kit.http import Http

SAMPLE = re.compile(r"(kennel_[a-z0-9_]+)(?:\{((?:[a-z]+=\"[^\"\\]*\",?)+)\})? "
                    r"([0-9.e+-]+|\+Inf)")


def admin(k):
    """The address of k's admin listener."""
    return os.path.join(k.run, "admin.sock")


def ask(k, path, method="GET", address=None, **kw):
    with Http(address or admin(k)) as c:
        return c.ask(method, path, **kw)


def samples(text):
    """{name: {labels: value}}; labels are ((name, value), ...), sorted."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        m = SAMPLE.fullmatch(line)
        assert m, line
        labels = tuple(sorted(re.findall(r'([a-z]+)="([^"]*)"', m[2] or "")))
        values = found.setdefault(m[1], {})
        assert labels not in values, f"twice: {line}"
        values[labels] = float(m[3])
    return found


def metrics(k):
    r = ask(k, "/metrics")
    assert r.status == 200
    return samples(r.text)


def value(k, name, **labels):
    """The sum of all samples of this name with these labels."""
    want = set(labels.items())
    return sum(v for ls, v in metrics(k).get(name, {}).items()
               if want <= set(ls))
