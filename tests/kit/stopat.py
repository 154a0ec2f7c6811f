"""Processes that are stopped or killed at an exact step of a journey: stopat.c."""
import os
import shutil

from kit import kennel


class StopAt:
    """A directory for the orders, and the library; both of one Kennel."""

    def __init__(self, tmp):
        self.dir = os.path.join(str(tmp), "stopat")
        os.mkdir(self.dir)
        # The loader takes a space in a name for its end.
        self.env = {"LD_PRELOAD": shutil.copy(kennel.STOPAT, self.dir), "STOPAT_DIR": self.dir}

    def order(self, pid, message, nth, signo, target, hold=0):
        """
        When pid sends the nth such message from now on, target gets the signal, and hold
        stands still until the caller lets him go on.
        """
        path = os.path.join(self.dir, str(pid))
        with open(path + ".new", "w") as f:
            f.write(f"{message} {nth} {int(signo)} {target} {hold}\n")
        os.rename(path + ".new", path)

    def happened(self):
        return os.path.exists(os.path.join(self.dir, "done"))
