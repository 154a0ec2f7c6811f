"""Who supervises a gateway, as systemd does: by sd_notify(3)'s protocol."""
import os
import re
import signal
import socket
import time

from kit import wait


class Supervisor:
    """A notification socket, and what came by it."""

    def __init__(self, path):
        self.path = str(path)
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def hear(self):
        while True:
            try:
                self.heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def env(self, watchdog_ms):
        """What a gateway is started with."""
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(watchdog_ms * 1000)}

    def watch(self, pid, watchdog_ms):
        """Without a beat for so long it is killed, as by WatchdogSignal=SIGKILL; until then."""
        last = time.monotonic()
        while time.monotonic() < last + watchdog_ms / 1000:
            if "WATCHDOG=1" in self.hear():
                last = time.monotonic()
                self.heard.clear()
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)

    def wait(self, pattern, timeout=20):
        """All up to the line that matches is forgotten."""
        def found():
            for i, line in enumerate(self.hear()):
                if re.fullmatch(pattern, line):
                    del self.heard[:i + 1]
                    return line
            return None
        return wait.until(found, timeout, f"{pattern} among {self.heard}")
