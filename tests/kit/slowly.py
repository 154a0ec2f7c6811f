"""A client on a thin line: it reads all the time, so many bytes a second."""
import socket
import threading
import time

from kit import wait


def narrow(address, segment=1400):
    """A connection whose client's machine takes little before it is read, in small parts."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
    s.settimeout(wait.limit(30))
    s.connect(address)
    return s


class Slowly(threading.Thread):
    """
    Reads from a socket until hurry(), and never faster than that.  What it has read is in
    data; ended: there was no more.
    """

    def __init__(self, sock, rate):
        super().__init__(daemon=True)
        self.sock, self.rate = sock, rate
        self.data, self.ended, self.slowly = bytearray(), False, True
        self.start()

    def run(self):
        pause = max(0.02, 1 / self.rate)
        while self.slowly and not self.ended:
            time.sleep(pause)
            try:
                more = self.sock.recv(max(1, int(self.rate * pause)))
            except ConnectionResetError:
                more = b""
            except TimeoutError:        # nothing came, and it is still there
                continue
            self.data += more
            self.ended = not more

    def hurry(self):
        """Returns what it has read; the socket is the caller's again."""
        self.slowly = False
        self.join(wait.limit(40))
        assert not self.is_alive()
        return bytes(self.data)
