"""A machine of its own: a container with systemd as its first process."""
import json
import os

from kit import containers, wait
from kit.kennel import TOP

IMAGE = "localhost/kennel-test-systemd"


def image():
    at = os.path.join(TOP, "tests", "container")
    return containers.build(IMAGE, "-f", os.path.join(at, "systemd.Dockerfile"),
                            at)


class Machine:
    def __init__(self, debs, later=None):
        """Directories of packages, which the machine sees as /debs, /later."""
        self.id = containers.podman(
            "run", "-d", "--systemd=always", "--cap-add", "SYS_ADMIN",
            "-v", f"{debs}:/debs:ro",
            *(("-v", f"{later}:/later:ro") if later else ()), image())
        wait.until(lambda: self.try_run("systemctl is-system-running")
                   .stdout.strip() in ("running", "degraded"), 60,
                   "the machine is up")

    def remove(self):
        containers.run("podman", "rm", "-f", "-v", "-t", "0", self.id,
                       check=False)

    def run(self, script, **kw):
        return containers.shell(self.id, script, **kw)

    def try_run(self, script):
        return containers.run("podman", "exec", self.id, "sh", "-c", script,
                              check=False)

    def write(self, path, text):
        containers.run("podman", "exec", self.id, "sh", "-c",
                       'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"',
                       "sh", path, text)

    def front(self, port=8080):
        return containers.Front(containers.address(self.id), port)

    # ---- units ----

    def show(self, key, unit="kennel.service"):
        return self.run(f"systemctl show -P {key} '{unit}'")

    def journal(self, unit="kennel.service"):
        return self.run(f"journalctl -q --no-pager -o cat -u '{unit}'")

    def pid(self, unit="kennel.service"):
        return int(self.show("MainPID", unit))

    def pids(self, name="kennel"):
        """Of all processes of the units of this name, within the machine."""
        out = self.run("ps -eo pid,unit --no-headers")
        return {int(line.split()[0]) for line in out.split("\n")
                if len(line.split()) > 1 and
                line.split()[1].startswith(name)}

    def wait_active(self, unit="kennel.service", timeout=60):
        wait.until(lambda: self.show("ActiveState", unit) == "active",
                   timeout, f"{unit} is active:\n" + self.journal(unit)[-2000:])

    def status(self, run_dir="/run/kennel"):
        return json.loads(self.run(
            f"kennelctl status --json --run-dir {run_dir}"))

    def override(self, lines, unit="kennel.service"):
        """A drop-in of the [Service] section, or none; takes effect at once."""
        path = f"/etc/systemd/system/{unit}.d/test.conf"
        if lines:
            self.write(path, "[Service]\n" + lines + "\n")
        else:
            self.run(f"rm -f {path}")
        self.run("systemctl daemon-reload")
