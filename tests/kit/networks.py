"""
Machines in one: network namespaces with addresses of their own, joined by a bridge,
whose cables can be pulled.
"""
import ctypes
import itertools
import os
import subprocess

from kit.kennel import Ports

serial = itertools.count(1)
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Lan:
    """
    Lan(n): n machines, 10.99.x.1 and so on; the names and the net are ours alone.
    here: the tests are a machine beside them, 10.99.x.254.
    """

    def __init__(self, n, here=False):
        self.id = f"{os.getpid() % 50000}x{next(serial)}"
        mine = Ports.take() - Ports.BEGIN
        self.net = f"10.{100 + mine // 250}.{mine % 250}"
        self.bridge = f"ktb{self.id}"[:15]
        self.machines = []
        ip("link", "add", self.bridge, "type", "bridge")
        try:
            ip("link", "set", self.bridge, "up")
            if here:
                ip("addr", "add", self.net + ".254/24", "dev", self.bridge)
            for i in range(1, n + 1):
                self.machines.append(Machine(self, i))
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for m in self.machines:
            subprocess.run(["ip", "netns", "del", m.name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)


class Machine:
    """One namespace; launcher goes before a command that is to run there."""

    def __init__(self, lan, i):
        self.name = f"kt{lan.id}n{i}"
        self.address = f"{lan.net}.{i}"
        self.cable = f"k{lan.id}c{i}"[-15:]
        ip("netns", "add", self.name)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0",
           "netns", self.name)
        ip("link", "set", self.cable, "master", lan.bridge)
        ip("link", "set", self.cable, "up")
        ip("-n", self.name, "addr", "add", self.address + "/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")
        self.launcher = ("ip", "netns", "exec", self.name)

    def pull(self):
        """The cable: nothing comes or goes any more, and nobody is told."""
        ip("link", "set", self.cable, "down")

    def plug(self):
        ip("link", "set", self.cable, "up")

    def drop(self, percent):
        """So many of the packets that come and go, by chance; 0: none."""
        rules = "flush ruleset\n"
        if percent:
            rules += "table inet kennel {\n"
            for hook in "input", "output":
                rules += (f"chain {hook} {{ type filter hook {hook} priority 0;\n"
                          f"numgen random mod 100 < {percent} drop; }}\n")
            rules += "}\n"
        subprocess.run([*self.launcher, "nft", "-f", "-"], input=rules, text=True,
                       check=True, capture_output=True)

    def __enter__(self):
        """What is opened here until __exit__ belongs to this machine."""
        self.back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        self.enter(there)
        os.close(there)
        return self

    def __exit__(self, *_):
        self.enter(self.back)
        os.close(self.back)

    @staticmethod
    def enter(fd):
        if libc.setns(fd, CLONE_NEWNET) == -1:
            raise OSError(ctypes.get_errno(), "setns")
