"""
What `kennelctl status` asks a gatewayd, asked from here: tests look at the status so often
that a process for each look would be most of what they compute.
"""
import json
import os
import re
import socket
import struct

from kit import wait

ENUM = os.path.join(os.path.dirname(__file__), "..", "..", "proto", "control.h")
PACKET = 64 << 10
MORE = 8                # another piece follows
UINTS = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q"}
BINS = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I"}


def numbers():
    """Of each message between processes."""
    with open(ENUM) as f:
        text = re.search(r"^enum ctl_type \{(.*?)\}", f.read(), re.M | re.S)[1]
    return {name: n for n, name in enumerate(re.findall(r"\bCTL_\w+", text), 1)}


NUMBERS = numbers()


def element(data, at):
    """What stands there of msgpack, as far as gatewayd writes it, and where it ends."""
    kind, at = data[at], at + 1
    if kind < 0x80:
        return kind, at
    if kind in UINTS:
        return struct.unpack_from(UINTS[kind], data, at)[0], at + struct.calcsize(UINTS[kind])
    if kind in BINS:
        n, at = struct.unpack_from(BINS[kind], data, at)[0], at + struct.calcsize(BINS[kind])
        return data[at:at + n], at + n
    if kind == 0xdc:
        n, at = struct.unpack_from(">H", data, at)[0], at + 2
    else:
        n = kind - 0x90
        if not 0 <= n < 16:
            raise OSError(f"{kind:#x} is nothing that is known here")
    found = []
    for _ in range(n):
        one, at = element(data, at)
        found.append(one)
    return found, at


def status(path):
    """
    The answer of the gatewayd at this control socket.  OSError: none came, or not all of it;
    kennelctl says why.
    """
    text, more = b"", True
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(wait.limit(10))
        s.connect(path)
        s.send(bytes([0x91, 0x94, NUMBERS["CTL_STATUS_ASK"], 1, 0, 0xc4, 0]))
        while more:
            data = s.recv(PACKET)
            if not data:
                raise OSError("it ended while it answered")
            for kind, _, flags, piece, *_ in element(data, 0)[0]:
                if kind != NUMBERS["CTL_STATUS"]:
                    raise OSError(f"a message {kind} is no status")
                text += piece
                more = bool(flags & MORE)
        # When this returns, gatewayd has no descriptor for it any more: some are counted.
        s.shutdown(socket.SHUT_WR)
        while s.recv(PACKET):
            pass
    return json.loads(text)
