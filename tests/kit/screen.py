"""A terminal of so many columns: what a program draws on it, and how it looks then."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

from kit import wait

PIECE = re.compile(r"\x1b\[(\d*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Screen:
    """Rows that do not scroll; it knows what kennelctl draws with, and no more."""

    def __init__(self, columns):
        self.columns = columns
        self.rows, self.x, self.y = [""], 0, 0

    def put(self, char):
        if self.x == self.columns:              # as terminals wrap
            self.x = 0
            self.down()
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[:self.x] + char + row[self.x + 1:]
        self.x += 1

    def down(self):
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append("")

    def feed(self, text):
        at = 0
        for m in PIECE.finditer(text):
            assert m.start() == at, repr(text[at:at + 20])
            at = m.end()
            n, letter, back, line, plain = m.groups()
            if plain:
                for c in plain:
                    self.put(c)
            elif back:
                self.x = 0
            elif line:                          # the terminal's own return
                self.x = 0
                self.down()
            elif letter == "A":
                self.y -= int(n or 1)
                assert self.y >= 0, "above the first row"
            elif letter == "K":
                self.rows[self.y] = self.rows[self.y][:self.x]
            elif letter == "J":
                self.rows[self.y] = self.rows[self.y][:self.x]
                del self.rows[self.y + 1:]
            else:
                raise AssertionError(f"unknown: {m[0]!r}")
        assert at == len(text), repr(text[at:])


class Drawn:
    """A program whose standard error is a terminal; its output is a pipe.  env: None: unset."""

    def __init__(self, args, columns=80, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, text=True,
            env={name: value for name, value in
                 {**os.environ, "TERM": "xterm", **(env or {})}.items() if value is not None})
        os.close(slave)
        self.text, self.screen = "", Screen(columns)

    def read(self):
        """What comes next: False at its end.  It comes before long, or it hangs."""
        assert wait.ready(self.master, seconds=wait.limit(30)), f"after {self.text!r}"
        try:
            data = os.read(self.master, 65536).decode()
        except OSError:                         # nobody has it open any more
            return False
        self.text += data
        self.screen.feed(data.replace("\r\n", "\n"))
        return True

    def until(self, pattern):
        end = time.monotonic() + wait.limit(60)
        while not re.search(pattern, self.text):
            assert self.read(), f"no {pattern!r} in {self.text!r}"
            assert time.monotonic() < end, f"no {pattern!r} for long: {self.screen.rows}"

    def end(self):
        """Its exit status and output, when it has ended."""
        end = time.monotonic() + wait.limit(60)
        while self.read():
            assert time.monotonic() < end, f"it does not end: {self.screen.rows}"
        os.close(self.master)
        out, _ = self.process.communicate(timeout=wait.limit(30))
        return self.process.returncode, out
