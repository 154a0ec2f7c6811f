"""A kennel in directories of its own: the real gatewayd and all it starts."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from kit import ask, redis, wait

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get("KENNEL_BUILD") or os.path.join(TOP, "build")
GATEWAYD = os.path.join(BUILD, "gatewayd", "gatewayd")
KENNELCTL = os.path.join(BUILD, "gatewayd", "kennelctl")
SHARDD = os.path.join(BUILD, "shardd", "shardd")
KILLAT = os.path.join(BUILD, "tests", "kit", "killat.so")
LAG = os.path.join(BUILD, "tests", "kit", "lag.so")
STOPAT = os.path.join(BUILD, "tests", "kit", "stopat.so")
NAMES = os.path.join(BUILD, "tests", "kit", "names.so")

# For a crowd that is silent and answers no ping: on a machine with other work the last of
# them comes when the first would have been closed (two pings).
SILENT = "\n[worker]\nping_interval = 1h\n"
LIVE = []               # for the logs of a failed test

# How the gateway says that a shard's process has ended in another way than the
# one in which it should.
DEATH = re.compile(r"shard slot=\d+ pid=(\d+) "
                   r"(?:killed: |died|left (?!status=0 |status=\? |signal=15 ))")
# By a signal that a fault of ours raises.
CRASH = re.compile(r"shard slot=\d+ pid=(\d+) (?:died|left)[a-z ]* signal=(4|6|7|8|11)\b")

# Lines of the log which say that one of ours has made a mistake: nothing that a
# client does may bring them about, nor the death of a neighbour.
FAULT = re.compile(
    r" (?:warn|error|fatal) .*(?:counts=wrong|out of place|not a message|bad news|"
    r"bad state|missed news|unexpected|hello refused|home refused|no place here|"
    r"no page that|handoff id=|repeated=|without replicas|nobody we know|"
    r"not introduced|state lost|said nothing in time|io_uring failed|"
    r"not a response)|Assertion|Sanitizer|runtime error:")


def default_routes():
    """The built-in configuration without its listeners, whose ports are everybody's."""
    with open(os.path.join(TOP, "gatewayd", "default.ini")) as f:
        return re.sub(r"^\[listener .*?(?=^\[|\Z)", "", f.read(), flags=re.S | re.M)


class Ports:
    """
    Free ports below the ephemeral range.  They are this process's until it
    ends, even while nobody listens there: what is killed can start again.
    """
    BEGIN, SIZE, BLOCKS = 12000, 50, 400
    held = []               # a socket for each block of ours
    left = []               # ports of the last one

    @classmethod
    def mark(cls, n):
        """
        The mark of a block, or None: it is somebody's.  It is an abstract name: it is seen
        wherever the ports are, has one owner, and ends with it.
        """
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            s.bind(f"\0kennel-test-ports-{n}")
        except OSError:
            s.close()
            return None
        return s

    @classmethod
    def hold(cls):
        """Another block."""
        for i in range(cls.BLOCKS):
            n = (os.getpid() * 37 + i) % cls.BLOCKS
            s = cls.mark(n)
            if s is None:
                continue
            cls.held.append(s)
            begin = cls.BEGIN + n * cls.SIZE
            cls.left = list(range(begin, begin + cls.SIZE))
            return
        raise AssertionError("all ports are taken")

    @classmethod
    def take(cls):
        while True:
            if not cls.left:
                cls.hold()
            port = cls.left.pop(0)
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue


def processes(needle):
    """Pids of all processes with needle in their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as f:
                args = f.read().replace(b"\0", b" ")
        except OSError:
            continue
        if needle.encode() in args:
            found.append(int(pid))
    return [p for p in found if p != os.getpid()]


def state(pid):
    """The letter of proc(5); X if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def alive(pid):
    return state(pid) not in "ZX"


class Kennel:
    """
    Kennel(...) starts a gatewayd and waits until it is ready.

    host: the address that it has.
    listen: its --listen arguments, PORT standing for a free port.
    config: text of an INI file.  In both HOST stands for host.  redis: "auto", "none" or a URL.
    ready: False for one that is not expected to become ready.
    user: whom it becomes; None: stays who we are.  run: its run directory.
    deaths: shards may die, but not crash: of a CRASH, stop() wants to have been told by
    kill_shard() or dies(), or its signal is among deaths, a collection then.  Without
    deaths, it wants to have been told of each death.
    faults: what FAULT finds in the log and is meant to be there, a pattern.
    cover: False: connections end with their shards.
    """

    def __init__(self, *args, shards=2, max_shards=None, limit=None,
                 redis="auto", config="", listen=("HOST:PORT",),
                 worker=SHARDD, env=None, ready=True, launcher=(), fds=(),
                 user=None, run=None, deaths=False, faults=None,
                 cover=True, host="127.0.0.1"):
        self.dir = tempfile.mkdtemp(prefix="kennel.")
        if user:                # who also writes the sanitizers' reports
            os.chmod(self.dir, 0o777)
        self.run = run or os.path.join(self.dir, "run")
        self.state = os.path.join(self.dir, "state")
        self.log_path = os.path.join(self.dir, "log")
        self.args = args
        self.options = dict(shards=shards, max_shards=max_shards, limit=limit,
                            redis=redis, worker=worker, user=user)
        self.redis_mode = redis
        self.host = host
        self.listen = listen
        self.launcher = launcher
        self.fds = fds
        self.config = None
        if os.geteuid() != 0 and "core =" not in config:
            # Tests look at descriptors, which else is for root only.
            config = "[gateway]\ncore = yes\n" + config
        if not cover:
            config = "[gateway]\ncover = no\n" + config
        if config:
            self.config = os.path.join(self.dir, "kennel.ini")
            with open(self.config, "w") as f:
                f.write(config.replace("HOST", host))
        self.env = dict(os.environ)
        for name in "ASAN", "UBSAN", "LSAN":
            self.env[name + "_OPTIONS"] = ":".join(filter(None, [
                os.environ.get(name + "_OPTIONS"),
                f"log_path={self.dir}/sanitizer-{name.lower()}"]))
        self.env.pop("NOTIFY_SOCKET", None)
        self.env.pop("LISTEN_FDS", None)
        self.env.update(env or {})
        self.process = None
        self.port = None
        self.deaths = deaths
        self.faults = faults
        self.dying = set()      # pids of those that may die
        LIVE.append(self)
        self.start(ready)

    # ---- life ----

    def command(self):
        cmd = [*self.launcher, GATEWAYD,
               "--run-dir", self.run, "--state-dir", self.state]
        for a in self.listen:
            cmd += ["--listen", a.replace("PORT", str(self.port))
                    .replace("HOST", self.host).replace("DIR", self.dir)]
        for name, value in self.options.items():
            if value is not None:
                cmd += ["--" + name.replace("_", "-"), str(value)]
        if self.config:
            cmd += ["--config", self.config]
        return cmd + [str(a) for a in self.args]

    def start(self, ready=True):
        """(Again, after kill_gateway(): same directories, same port.)"""
        again = self.port is not None
        for _ in range(5):
            if not again:
                self.port = Ports.take()
            self.mark = os.path.exists(self.log_path) and \
                os.path.getsize(self.log_path)
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, env=self.env, pass_fds=self.fds)
            if not ready:
                return
            wait.until(lambda: self.ready() or self.process.poll() is not None,
                       30, "gatewayd ready")
            if self.ready():
                return
            if again or "in use" not in self.log(self.mark):
                break
        raise AssertionError("gatewayd did not start:\n" + self.log())

    def ready(self):
        return re.search(r"gatewayd\[\d+\] ready |\"message\": ?\"ready ",
                         self.log(self.mark))

    def log(self, mark=0):
        try:
            with open(self.log_path, "rb") as f:
                f.seek(mark or 0)
                return f.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=10, mark=0):
        return wait.until(lambda: re.search(pattern, self.log(mark)), timeout,
                          f"log line /{pattern}/")

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        return [p for p in processes(self.dir + "/") if alive(p)]

    def kill_gateway(self):
        self.process.kill()
        self.process.wait()

    def kill_shard(self, slot=None, pid=None, signo=signal.SIGKILL, rest=True):
        """
        Kills one, whose death is no fault, and returns its pid.  With rest it has half a
        second, or what that is here, to go to sleep: who has just heard from it can be here before it has done
        with that, and would be cut off as one that it was writing to.
        """
        pid = self.dies(pid or self.shard(slot)["pid"])
        end = time.monotonic() + wait.limit(0.5)
        while rest and state(pid) == "R" and time.monotonic() < end:
            time.sleep(0.001)
        os.kill(pid, signo)
        return pid

    def stop_shard(self, slot=None, pid=None):
        """
        Stops one, which shall live on: nobody may kill it for that, unless
        dies() says so.
        """
        pid = pid or self.shard(slot)["pid"]
        assert pid > 0, f"slot {slot} is empty"
        os.kill(pid, signal.SIGSTOP)
        return pid

    def dies(self, pid):
        """A shard whose death is no fault."""
        assert pid > 0, "an empty slot"         # 0 would be ourselves
        self.dying.add(pid)
        return pid

    def fault(self, line):
        """Is it one that this test did not mean?"""
        if FAULT.search(line) and not (self.faults and re.search(self.faults, line)):
            return True
        if any(int(m[1]) not in self.dying for m in DEATH.finditer(line)):
            return not self.deaths or self.crash(line)
        return False

    def crash(self, line):
        """Does it tell of a crash that this test did not mean?"""
        m = CRASH.search(line)
        return m and int(m[1]) not in self.dying and not (
            self.deaths and self.deaths is not True and int(m[2]) in self.deaths)

    def said(self, size):
        """
        The end of the log, for who reads of a failure, and all crashes before.  Those that
        were meant are marked, for they are no reason against a second try (kit/again.py).
        """
        log = self.log()
        at = log.find("\n", len(log) - size) + 1 if len(log) > size else 0
        early = [line for line in log[:at].split("\n") if self.crash(line)]
        return "\n".join(line if self.crash(line) else CRASH.sub(r"\g<0> (meant)", line)
                         for line in early + log[at:].split("\n"))

    def check_faults(self):
        """No shard has died, and none has warned of a fault, unexpectedly."""
        found = [line for line in self.log().split("\n") if self.fault(line)]
        assert found == [], "faults in the log:\n" + \
            "\n".join(found[:20]) + f"\n{len(found)} in all, in:\n" + self.said(3000)

    def kill_all(self):
        """The gateway and all that it started, as a machine loses power."""
        pids = self.pids()
        for pid in pids:
            self.dying.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        wait.until(lambda: not any(map(alive, pids)), 10, "all are killed")

    def sanitizer_reports(self):
        return "".join(open(p, errors="replace").read() for p in
                       sorted(glob.glob(self.dir + "/sanitizer-*")))

    def term(self, timeout=20):
        """SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(wait.limit(timeout))

    def check_gone(self):
        """Nothing is left: no process, no socket file, no report."""
        wait.until(lambda: not self.pids(), 5, "all processes gone")
        left = [p for p in glob.glob(self.run + "/**", recursive=True)
                if not os.path.isdir(p) and not os.path.isfile(p)]
        assert left == [], f"socket files left: {left}"
        assert self.sanitizer_reports() == ""

    def stop(self):
        """A clean end, with everything that it promises."""
        status = self.process.poll()
        if status is None:
            status = self.term()
        assert status == 0, f"gatewayd ended with {status}\n" + self.said(3000)
        self.check_gone()
        self.check_faults()
        self.remove()

    def destroy(self):
        """Whatever state it is in."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for _ in range(50):
            pids = self.pids()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not pids:
                break
        report = self.sanitizer_reports()
        self.remove()
        assert report == "", report

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        if self in LIVE:
            LIVE.remove(self)

    # ---- what it says of itself ----

    def ctl(self, *args, check=True):
        p = subprocess.run([KENNELCTL, *args, "--run-dir", self.run],
                           capture_output=True, text=True,
                           timeout=wait.limit(30), env=self.env)
        if check:
            assert p.returncode == 0, f"kennelctl {args}: {p.stderr}"
            return p.stdout
        return p

    def status(self):
        """As kennelctl has it; where there is none, it says why."""
        try:
            return ask.status(os.path.join(self.run, "control.sock"))
        except OSError:
            return json.loads(self.ctl("status", "--json"))

    def shards(self):
        """Those in state ready."""
        return [s for s in self.status()["shards"] if s["state"] == "ready"]

    def shard(self, slot):
        return next(s for s in self.status()["shards"] if s["slot"] == slot)

    def replicas(self, group):
        """Of a group, oldest first; [] if there is no such group."""
        for g in self.status()["groups"]:
            if g["group"] == group:
                return sorted(g["replicas"], key=lambda r: int(r["id"], 16)
                              if isinstance(r["id"], str) else r["id"])
        return []

    def group(self, name):
        """Connections of each of its replicas, oldest first."""
        return [r["connections"] for r in self.replicas(name)]

    def places(self):
        return self.status()["places"]

    def exact(self):
        """The gateway counts afresh and finds its books right."""
        self.ctl("status", "--check")

    def wait_group(self, name, counts, timeout=10):
        wait.until(lambda: self.group(name) == counts, timeout,
                   f"group {name} is {counts}")

    def wait_places(self, n, timeout=10):
        wait.until(lambda: self.places() == n, timeout,
                   f"{n} places")

    # ---- Redis ----

    @property
    def redis_socket(self):
        return os.path.join(self.run, "redis.sock")

    def redis(self):
        return redis.Redis(self.redis_socket)

    # ---- where clients go ----

    @property
    def address(self):
        return (self.host, self.port)

    def url(self, path="/"):
        return f"http://{self.host}:{self.port}{path}"
