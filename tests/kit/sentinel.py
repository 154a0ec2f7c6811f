"""A master, its replicas, and the Sentinels that watch over them."""
import contextlib
import shutil
import subprocess
import tempfile

from kit import kennel, redis, wait

NAME = "main"


class Sentinel:
    """One of them; what it may ask of a Redis is the password.  machine: kit.networks'."""

    def __init__(self, master, password=None, quorum=2, machine=None):
        self.port = kennel.Ports.take()
        self.host = machine.address if machine else "127.0.0.1"
        self.launcher = machine.launcher if machine else ()
        self.machine = machine or contextlib.nullcontext()
        self.dir = tempfile.mkdtemp(prefix="sentinel.")
        self.password = password
        self.process = None
        lines = [f"port {self.port}", f"bind {self.host}", f"dir {self.dir}",
                 "protected-mode no",
                 f"sentinel monitor {NAME} {master.host} {master.port} {quorum}",
                 f"sentinel down-after-milliseconds {NAME} "
                 f"{int(wait.limit(2) * 1000)}",
                 f"sentinel failover-timeout {NAME} 10000"]
        if password:
            lines += [f"sentinel auth-pass {NAME} {password}",
                      f"requirepass {password}",
                      f"sentinel sentinel-pass {password}"]
        with open(self.dir + "/conf", "w") as f:
            f.write("\n".join(lines) + "\n")

    def start(self):
        with open(self.dir + "/out", "a") as out:
            self.process = subprocess.Popen(
                [*self.launcher, "redis-server", self.dir + "/conf", "--sentinel"],
                stdout=out, stderr=out)
        return self

    def __call__(self, *words):
        with self.machine:
            r = redis.Redis((self.host, self.port))
        with r:
            if self.password:
                r("AUTH", self.password)
            return r(*words)

    def ready(self, replicas, sentinels):
        """Does it know all the others?"""
        try:
            flat = self("SENTINEL", "MASTER", NAME)
        except (OSError, RuntimeError):
            return False
        known = dict(zip(flat[::2], flat[1::2]))
        return int(known["num-slaves"]) == replicas and \
            int(known["num-other-sentinels"]) == sentinels and \
            known["flags"] == "master"

    def master(self):
        """(host, port)."""
        host, port = self("SENTINEL", "get-master-addr-by-name", NAME)
        return host, int(port)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)


class Watched:
    """
    So many of both, and ready for a fail-over.  machines: of kit.networks, of the first
    Redis, and of all the others and the Sentinels.
    """

    def __init__(self, password=None, servers=3, sentinels=3, more=(), machines=None):
        self.auth = ("default", password) if password else None
        near, far = machines or (None, None)
        self.servers = [self.server(near if i == 0 else far) for i in range(servers)]
        first = self.servers[0]
        for s in self.servers:
            s.args += ["--repl-diskless-sync-delay", "0", *more]
            if password:
                s.args += ["--requirepass", password, "--masterauth", password]
            if s is not first:
                s.args += ["--replicaof", first.host, str(first.port)]
            s.start()
        self.sentinels = [Sentinel(first, password, machine=far).start()
                          for _ in range(sentinels)]
        wait.until(self.replicating, 60, "Redis' replicas say that they have all of it")
        wait.until(lambda: all(s.ready(servers - 1, sentinels - 1)
                               for s in self.sentinels), 60,
                   "Sentinels know each other")

    @staticmethod
    def server(machine):
        port = kennel.Ports.take()
        if not machine:
            return redis.Server(port)
        s = redis.Server(port, machine.address, machine.launcher)
        s.args = ["--protected-mode", "no"]
        return s

    def url(self, scheme="sentinel", login="", tail=""):
        places = ",".join(f"{s.host}:{s.port}" for s in self.sentinels)
        return f"{scheme}://{login}{places}/{NAME}{tail}"

    def ask(self, server, *words):
        with redis.Redis(server.path) as r:
            if self.auth:
                r("AUTH", *self.auth)
            return r(*words)

    def replicating(self):
        """
        Has each replica of the first said that it has what was written just now?  What was
        written before there were replicas counts as theirs: so they are to be there first.
        """
        with redis.Redis(self.servers[0].path) as r:
            if self.auth:
                r("AUTH", *self.auth)
            n = len(self.servers) - 1
            if r("INFO", "replication").count("state=online") < n:
                return False
            r("PUBLISH", "replicating", "")
            return r("WAIT", n, 100) == n

    def is_master(self, server):
        try:
            return self.ask(server, "ROLE")[0] == "master"
        except (OSError, RuntimeError):
            return False

    def successor(self, former):
        """The new master, when a majority of Sentinels says so; or None."""
        for s in self.servers:
            if s is not former and self.is_master(s) and 2 <= sum(
                    one.master() == (s.host, s.port) for one in self.sentinels
                    if one.process):
                return s
        return None

    def hash(self, server, key):
        flat = self.ask(server, "HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def remove(self):
        for s in self.sentinels + self.servers:
            s.remove()
