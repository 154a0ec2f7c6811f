#!/usr/bin/python3
"""
soak.py SECONDS: clients of every protocol at once, while shards, the gateway and
Redis are killed, stopped, emptied and told to read their configuration again.
In the end everybody leaves, and then: the counts are exact, every step that was
answered is in its counter, and neither memory, descriptors nor keys in Redis have
grown since the middle.  KENNEL_BUILD is best a sanitized build: what leaks is then
reported when each process ends.  Run by scripts/test soak.
"""
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import kennel as kits                      # noqa: E402
from kit import pact as pacts                       # noqa: E402
from kit import wait                                # noqa: E402
from kit.chat import Chat                           # noqa: E402
from kit.deflate import Deflate                     # noqa: E402
from kit.http import Http, request                  # noqa: E402
from kit.pact import Pact                           # noqa: E402
from kit.wire import Closed                         # noqa: E402
from kit.ws import (CONTINUATION, PING, TEXT, Ended, Refused,   # noqa: E402
                    WebSocket, frame, handshake)

ROOMS = [f"room{i}" for i in range(4)]
ROUNDS = 6                      # the first half of them warms up
ACTORS = 2                      # of each kind
PACE = 0.02                     # s between what an actor does, on average

CONFIG = """
[gateway]
idle_shard = 5s
drain = 5s
watchdog = %ds
accept_rate = %d
[worker]
deflate = yes
closing_timeout = 1s
pact_sessions = 50
pact_rooms = 10
pact_counters = 100000
"""

# How a conversation may end while the other end is being killed.
DISTURBED = (Closed, Ended, OSError)


class Wrong(Exception):
    """A client was given what is not right."""


class Told(Exception):
    """A client was told that something is away, and to come again."""


class Person(Pact):
    def hear(self, marks=False):
        m = super().hear(marks)
        if m["type"] == "error" and m["data"].endswith("try again later"):
            raise Told(m["data"])
        return m


class Soak:
    def __init__(self, seconds):
        self.seconds = seconds
        self.rng = random.Random(os.environ.get("SOAK_SEED") or seconds)
        self.routes = kits.default_routes()
        self.routes = self.routes[self.routes.index("[route "):]
        self.round_over = threading.Event()
        self.lock = threading.Lock()
        self.done = {}                  # what was done, and how often
        self.refused = {}               # statuses
        self.wrong = []
        self.certain = {r: 0 for r in ROOMS}    # steps that were answered
        self.perhaps = {r: 0 for r in ROOMS}    # whose answer never came
        self.serial = itertools.count(1)
        self.calm = False               # shard 0 and the gateway are measured
        self.k = kits.Kennel(
            shards=3, max_shards=8, limit=4, config=self.config(),
            env={"KENNEL_SIGNING_KEY": pacts.KEY,
                 "ASAN_OPTIONS": self.sanitizer()})

    def config(self):
        """Rates differ each time, so that there is something to read."""
        rate = 100000 + self.rng.randrange(1000)
        return CONFIG % (wait.limit(10), rate) + self.routes

    @staticmethod
    def sanitizer():
        """What is freed is not kept for long: memory is measured."""
        return ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"),
                                      "quarantine_size_mb=4"]))

    def count(self, what, n=1):
        with self.lock:
            self.done[what] = self.done.get(what, 0) + n

    # ---- actors: each a conversation, over and over ----

    def act(self, actor, seed):
        rng = random.Random(seed)
        while not self.round_over.is_set():
            try:
                actor(rng)
            except Told as e:
                self.count(f"told: {e}")
            except Refused as e:
                status = e.response.status
                self.count(f"refused {status}")
                if status != 503:
                    self.wrong.append(f"{actor.__name__}: {e}")
                time.sleep(0.1)
            except DISTURBED as e:
                self.count(f"{actor.__name__} cut off")
                if isinstance(e, TimeoutError):
                    self.wrong.append(f"{actor.__name__} hangs: " +
                                      traceback.format_exc())
                elif isinstance(e, Ended) and e.code not in (
                        1001, 1012, 1013):
                    self.wrong.append(f"{actor.__name__} was closed: {e}")
                time.sleep(0.05)
            except Exception:
                self.wrong.append(traceback.format_exc())

    def turns(self, rng):
        """Until the round is over, or for a while."""
        for _ in range(rng.randrange(1, 200)):
            if self.round_over.is_set():
                return
            yield
            time.sleep(rng.random() * 2 * PACE)

    def get(self, rng):
        """Pages, and what the applications answer; sometimes half a request."""
        paths = ["/", "/healthz", "/info", "/echo", "/pact", "/lobby/" + ROOMS[0],
                 "/lobby/" + ROOMS[1] + "/broadcast",
                 "/details?room=" + rng.choice(ROOMS),
                 "/users?room=" + rng.choice(ROOMS), "/nowhere"]
        with Http(self.k.address) as c:
            for _ in self.turns(rng):
                path = rng.choice(paths)
                if rng.random() < 0.02:
                    c.write(request(path=path)[:rng.randrange(1, 20)])
                    return
                c.write(request(path=path))
                r = c.response()
                if r.status not in (200, 204, 404, 503):
                    raise Wrong(f"{path}: {r}")
                self.count("GET")
                if not r.keeps:
                    return

    def post(self, rng):
        """Bodies of all sizes, with a length or in chunks, come back."""
        with Http(self.k.address) as c:
            for _ in self.turns(rng):
                body = rng.randbytes(rng.choice((1, 100, 5000, 100000)))
                if rng.random() < 0.5:
                    c.write(request("POST", "/echo", body=body))
                else:
                    c.write(request("POST", "/echo", fields=[
                        ("Transfer-Encoding", "chunked")]))
                    cut = rng.randrange(len(body) + 1)
                    for part in filter(None, (body[:cut], body[cut:])):
                        c.write(b"%x\r\n%b\r\n" % (len(part), part))
                    c.write(b"0\r\n\r\n")
                r = c.response()
                if r.status == 200 and r.body != body or \
                        r.status not in (200, 503):
                    raise Wrong(f"POST of {len(body)}: {r}")
                self.count("POST")
                if not r.keeps:
                    return

    def echo(self, rng):
        """In pieces, with pings between them."""
        with WebSocket(self.k.address) as c:
            for _ in self.turns(rng):
                text = "x" * rng.choice((0, 1, 125, 126, 70000)) + \
                    str(rng.random())
                cut = rng.randrange(len(text) + 1)
                c.write(frame(TEXT, text[:cut], fin=False) +
                        frame(PING, b"p") + frame(CONTINUATION, text[cut:]))
                if c.recv() != text:
                    raise Wrong("another echo")
                self.count("echo")
            if rng.random() < 0.7:
                c.goodbye()

    def deflate(self, rng):
        with Deflate(self.k.address) as c:
            for _ in self.turns(rng):
                text = "".join(rng.choices("ab ", k=rng.choice((1, 50, 3000)))
                               ) * rng.choice((1, 10))
                c.send_deflated(text, pieces=rng.randrange(1, 4))
                if c.recv() != text:
                    raise Wrong("another echo")
                self.count("deflated echo")

    def chat(self, rng):
        """Says and whispers; what one says oneself comes back, in order."""
        name = f"n{rng.randrange(30)}"
        with Chat(self.k, rng.choice(ROOMS), name) as c:
            for _ in self.turns(rng):
                mark = f"{rng.random()}"
                c.say(f"/w n{rng.randrange(30)} {mark}" if rng.random() < 0.3
                      else mark)
                while True:
                    m = c.hear()
                    if m.get("type") == "user:msg" and mark in m["text"]:
                        break
                    if m.get("type") == "error":
                        self.count("chat errors")
                        break
                self.count("chat")

    def pact(self, rng):
        """
        Steps of the room's counter, and behind each a step of one's own counter:
        who hears of the latter, and of no error, knows that the former counts.
        """
        room = rng.choice(ROOMS)
        own = f"{threading.current_thread().name} {next(self.serial)}"
        with Person(self.k, room, session=f"s{rng.randrange(40)}") as c:
            c.subscribe(f"counter:{own}")
            for _ in self.turns(rng):
                with self.lock:
                    self.perhaps[room] += 1
                c.count("soak")
                c.count(own)
                c.until("counter", lambda data: data["id"] == own)
                with self.lock:
                    self.certain[room] += 1
                    self.perhaps[room] -= 1
                self.count("counter")

    def poll(self, rng):
        """Votes, logs in, and reads what the room is like."""
        with Person(self.k, rng.choice(ROOMS)) as c:
            c.login({"name": "x" * rng.randrange(100)})
            for _ in self.turns(rng):
                c.vote(f"p{rng.randrange(5)}", rng.choice("abc"))
                c.tell("chat", "x")
                c.barrier()
                self.count("poll")

    def rude(self, rng):
        """Leaves in every improper way."""
        how = rng.randrange(5)
        if how == 0:
            c = WebSocket(self.k.address, open=False)
            c.write(handshake(rng.choice((
                "/echo", "/websocket?room=" + ROOMS[0],
                "/lobby/" + ROOMS[0] + "/ws?u=rude")), c.key))
        else:
            c = Chat(self.k, rng.choice(ROOMS), "rude")
            if how == 1:
                c.write(os.urandom(200))
            elif how == 2:
                c.write(frame(TEXT, b"\xff\xfe"))
            elif how == 3:
                c.write(frame(TEXT, "x" * 1000)[:500])
        if rng.random() < 0.5:
            c.reset()
        else:
            c.close()
        self.count("rude")
        time.sleep(rng.random() * 10 * PACE)

    # ---- mischief ----

    def victim(self):
        """A shard that is ready; not the measured one."""
        found = [s for s in self.k.shards() if s["slot"] > 0 or not self.calm]
        return self.rng.choice(found)["pid"]

    def kill(self):
        self.k.kill_shard(pid=self.victim())

    def leave(self):
        os.kill(self.victim(), signal.SIGTERM)

    def pause(self):
        pid = self.victim()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.rng.random() * 3)
        os.kill(pid, signal.SIGCONT)

    def reload(self):
        with open(self.k.config, "w") as f:
            f.write(self.config())
        os.kill(self.k.pid, signal.SIGHUP)

    def gateway(self):
        if not self.calm:
            self.k.kill_gateway()
            self.k.start()

    def redis_pid(self):
        with self.k.redis() as r:
            return int(r("INFO", "server").split("process_id:")[1].split()[0])

    def redis(self):
        os.kill(self.redis_pid(), signal.SIGKILL)

    def redis_pause(self):
        pid = self.redis_pid()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.rng.random() * 3)
        os.kill(pid, signal.SIGCONT)

    def flush(self):
        """
        Somebody in each room remembers it, and all is written again with the
        next step; until then nobody dies.
        """
        people = [self.again(lambda: Person(self.k, room)) for room in ROOMS]
        for p in people:
            self.again(lambda: p.subscribe("counter:kept"))
        with self.k.redis() as r:
            r("FLUSHALL")
        for p in people:
            wait.until(lambda: self.again(lambda: self.kept(p)), 30,
                       "a step after FLUSHALL")
        pacts.leave(*people)

    @staticmethod
    def again(do):
        """What do() returns, however often it is told to come again."""
        while True:
            try:
                return do()
            except Told:
                time.sleep(0.1)

    @staticmethod
    def kept(p):
        """A step of p's counter is in Redis."""
        p.count("kept")
        p.until("counter")
        return True

    def heal(self):
        """As many shards as there are, and Redis, answer."""
        def healthy():
            try:
                with self.k.redis() as r:
                    r("PING")
                return len(self.k.shards()) >= 3
            except (AssertionError, OSError, RuntimeError):
                return False
        wait.until(healthy, 60, "shards and Redis are there again")

    def mischief(self, until):
        deeds = [self.kill, self.kill, self.leave, self.pause, self.pause,
                 self.reload, self.reload, self.gateway, self.redis,
                 self.redis_pause, self.flush]
        while time.monotonic() < until:
            deed = self.rng.choice(deeds)
            try:
                deed()
                self.count(f"mischief {deed.__name__}")
            except (OSError, RuntimeError, IndexError):
                pass                    # it has gone by itself
            self.heal()
            time.sleep(min(self.rng.random() * 3,
                           max(0, until - time.monotonic())))

    # ---- rounds ----

    def round(self, seconds):
        self.round_over.clear()
        actors = (self.get, self.post, self.echo, self.deflate, self.chat,
                  self.pact, self.poll, self.rude)
        threads = [threading.Thread(target=self.act, args=(
            a, self.rng.random()), name=f"{a.__name__}{i}", daemon=True)
            for a in actors for i in range(ACTORS)]
        for t in threads:
            t.start()
        try:
            time.sleep(min(3, seconds / 4))
            self.mischief(time.monotonic() + seconds)
            self.k.exact()              # with all of them connected
        finally:
            self.round_over.set()
            end = time.monotonic() + wait.limit(30)
            for t in threads:
                t.join(max(0, end - time.monotonic()))
        left = [t for t in threads if t.is_alive()]
        assert left == [], f"{len(left)} actors hang"
        self.quiet()

    def quiet(self):
        """All have left: nothing is counted, and no shard more than there is."""
        self.k.wait_places(0, 60)
        self.k.exact()
        wait.until(lambda: self.k.status()["handing_over"] == 0, 30)
        wait.until(lambda: sum(s["connections"] for s in self.k.shards()) == 0,
                   30, "no connections")
        wait.until(lambda: len(self.k.shards()) == 3, 120,
                   "shards on demand have left")

    def check_counters(self):
        for room in ROOMS:
            with Person(self.k, room) as p:
                before = p.subscribe("counter:soak")
            value = before[0]["data"]["value"] if before else 0
            low = self.certain[room]
            high = low + self.perhaps[room]
            print(f"{room}: {low} steps answered, {value} counted, "
                  f"{high} sent")
            assert low <= value <= high, "steps were lost, or counted twice"
        self.k.wait_places(0)

    # ---- growth ----

    def measure(self):
        """{what: number} of the gateway, shard 0 and Redis."""
        out = {}
        for name, pid in (("gateway", self.k.pid),
                          ("shard 0", self.k.shard(0)["pid"])):
            with open(f"/proc/{pid}/statm") as f:
                out[name + " MiB"] = int(f.read().split()[1]) / 256
            out[name + " descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
        with self.k.redis() as r:
            out["keys"] = r("DBSIZE")
        return out

    def run(self):
        each = self.seconds / ROUNDS
        measured = []
        for i in range(ROUNDS):
            self.calm = i >= ROUNDS // 2 - 1
            self.round(each)
            now = self.measure()
            print(f"round {i + 1} of {ROUNDS}: " + ", ".join(
                f"{k} {v:.0f}" for k, v in now.items()), flush=True)
            measured.append(now)
            assert self.wrong == [], self.wrong[0]
        self.check_counters()
        self.grown(measured[ROUNDS // 2 - 1], measured[-1])

    @staticmethod
    def grown(before, after):
        """A quarter and a little is what it may be."""
        for what, n in after.items():
            slack = {"MiB": 32, "descriptors": 8, "keys": 100}[
                what.split()[-1]]
            assert n <= before[what] * 1.25 + slack, \
                f"{what} grew from {before[what]:.0f} to {n:.0f}"

    def told(self):
        print("done: " + json.dumps(dict(sorted(self.done.items()))))


def main():
    soak = Soak(int(sys.argv[1]))
    try:
        soak.run()
        soak.k.stop()
    except BaseException:
        traceback.print_exc()
        for text in soak.wrong[:5]:
            print(text)
        print("the end of the log:\n" + soak.k.log()[-5000:])
        print(soak.k.sanitizer_reports()[:8000])
        try:
            soak.k.destroy()
        except AssertionError:
            pass                        # the reports are above
        return 1
    finally:
        soak.told()
    return 0


if __name__ == "__main__":
    sys.exit(main())
