"""
Machines in one: network namespaces with addresses of their own, joined by a bridge,
whose cables can be pulled.
"""
import ctypes
import os
import re
import socket
import subprocess

from kit.kennel import Ports

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


# Each network has the number of a port that is its maker's: of namespaces, cables and
# bridges.
NAMES = re.compile(r"kt(\d+)n\d+|k(\d+)c\d+|ktb(\d+)")


def there():
    """(number, what, name) of all that is left of networks, or in use; cables first."""
    found = sorted(("link", name) for _, name in socket.if_nameindex())
    if os.path.isdir("/run/netns"):
        found += [("netns", name) for name in os.listdir("/run/netns")]
    return [(int(m[1] or m[2] or m[3]), what, name) for what, name in found
            if (m := NAMES.fullmatch(name))]


def remove(number):
    """All of that network, which is ours or nobody's."""
    for n, what, name in there():
        if n == number:
            subprocess.run(["ip", what, "del", name], capture_output=True)


def sweep():
    """The networks of those who were killed: nobody has their ports."""
    for n in {number // Ports.SIZE for number, _, _ in there()}:
        mark = Ports.mark(n)
        if mark is None:
            continue
        with mark:              # nobody makes one meanwhile
            for number in {number for number, _, _ in there() if number // Ports.SIZE == n}:
                remove(number)


class Lan:
    """
    Lan(n): n machines, 10.99.x.1 and so on; the names and the net are ours alone.
    here: the tests are a machine beside them, 10.99.x.254.
    """
    swept = False

    def __init__(self, n, here=False):
        if not Lan.swept:
            sweep()
            Lan.swept = True
        self.id = mine = Ports.take() - Ports.BEGIN
        self.net = f"10.{100 + mine // 250}.{mine % 250}"
        self.bridge = f"ktb{self.id}"
        self.machines = []
        self.remove()           # what somebody left who had this port
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
        remove(self.id)


class Machine:
    """One namespace; launcher goes before a command that is to run there."""

    def __init__(self, lan, i):
        self.name = f"kt{lan.id}n{i}"
        self.address = f"{lan.net}.{i}"
        self.cable = f"k{lan.id}c{i}"
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
