"""A PostgreSQL of one's own, on a Unix socket."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile

from kit import wait

NOBODY = 65534


class Server:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="pg.")
        self.bin = max(glob.glob("/usr/lib/postgresql/*/bin"))
        # It refuses to run as root.
        self.user = dict(user=NOBODY, group=NOBODY, extra_groups=[]) \
            if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.dir, NOBODY, NOBODY)
        os.chmod(self.dir, 0o755)
        self.process = None
        self.run(self.bin + "/initdb", "-D", self.dir + "/data", "-A", "trust",
                 "-U", "kennel", "--no-sync", "--locale=C", "-E", "UTF8")

    def run(self, *command):
        return subprocess.run(command, check=True, text=True, cwd=self.dir,
                              capture_output=True, **self.user).stdout

    @property
    def url(self):
        return f"postgresql://kennel@/postgres?host={self.dir}"

    def start(self):
        with open(self.dir + "/log", "a") as log:
            self.process = subprocess.Popen(
                [self.bin + "/postgres", "-D", self.dir + "/data", "-k",
                 self.dir, "-c", "listen_addresses=", "-c", "fsync=off",
                 "-c", "shared_buffers=4MB"],
                stdout=log, stderr=log, cwd=self.dir, **self.user)
        wait.until(lambda: subprocess.run(
            [self.bin + "/pg_isready", "-q", "-h", self.dir]).returncode == 0,
            30, "PostgreSQL answers")
        return self

    def sql(self, text):
        """Rows, their fields apart by '|'."""
        return self.run(self.bin + "/psql", "-h", self.dir, "-U", "kennel",
                        "-d", "postgres", "-qAtc", text).splitlines()

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)     # all are cut off
            self.process.wait(wait.limit(20))
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)
