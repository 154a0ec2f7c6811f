"""Debian's nginx and HAProxy, with the files of deploy/proxy, before a kennel."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from kit import wait
from kit.kennel import TOP, Ports

SNIPPETS = os.path.join(TOP, "deploy", "proxy")


def program(name):
    """Its path; sbin is not in everybody's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


class Proxy:
    """
    name(backend, *changes): started, with TLS on `port`, for a Kennel at
    127.0.0.1:backend.  changes: (old, new) in the text of its snippet.
    """
    reload_signal = None

    def __init__(self, backend, *changes):
        self.dir = tempfile.mkdtemp(prefix="proxy.")
        os.chmod(self.dir, 0o755)
        self.port = Ports.take()
        self.log_path = os.path.join(self.dir, "log")
        self.certificate()
        with open(os.path.join(SNIPPETS, self.snippet)) as f:
            text = f.read()
        for old, new in (*self.backend_changes(backend), *self.own_changes(),
                         *changes):
            assert old in text, f"{self.snippet} has no {old!r}"
            text = text.replace(old, new)
        self.config = os.path.join(self.dir, "config")
        with open(self.config, "w") as f:
            f.write(self.whole(text))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        try:
            wait.until(self.answers, 20, f"{self.command()[0]} listens")
        except AssertionError:
            self.__exit__()
            raise

    def backend_changes(self, backend):
        return (("127.0.0.1:8080", f"127.0.0.1:{backend}"),)

    def certificate(self):
        """Self-signed: site.crt, site.key, and both in site.pem."""
        crt, key, pem = (os.path.join(self.dir, "site." + end)
                         for end in ("crt", "key", "pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=kennel", "-keyout", key, "-out", crt], check=True,
            capture_output=True, timeout=wait.limit(30))
        with open(pem, "w") as out:
            for path in crt, key:
                with open(path) as f:
                    out.write(f.read())

    def answers(self):
        assert self.process.poll() is None, self.log()
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def connect(self, source="127.0.0.1"):
        """A TLS connection from that address of this machine."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        s = socket.create_connection(("127.0.0.1", self.port),
                                     wait.limit(10), (source, 0))
        return context.wrap_socket(s)

    @property
    def address(self):
        """As a Kennel's for its clients: each is a new connection."""
        return self.connect()

    def reload(self):
        os.kill(self.process.pid, self.reload_signal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """The master and its workers, which are a session of their own."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Haproxy(Proxy):
    snippet = "haproxy-site.cfg"
    reload_signal = signal.SIGUSR2

    def own_changes(self):
        return ((":443", f"127.0.0.1:{self.port}"),
                ("/etc/haproxy/site.pem", self.dir + "/site.pem"),
                ("maxconn 20000", "maxconn 200"))

    def whole(self, text):
        return text

    def command(self):
        return [program("haproxy"), "-W", "-db", "-f", self.config]


class Balancer(Haproxy):
    """
    Balancer({name: (port, admin's port)}) before the nodes of deploy/cluster, with that
    file; as a Kennel, its address is a new connection.
    """
    snippet = os.path.join("..", "cluster", "haproxy.cfg")

    def backend_changes(self, nodes):
        return [(f"server {name} {name}:8080",
                 f"server {name} 127.0.0.1:{port} port {admin}")
                for name, (port, admin) in nodes.items()]

    def own_changes(self):
        return ((":8443", f"127.0.0.1:{self.port}"),
                ("/var/lib/haproxy/site.pem", self.dir + "/site.pem"),
                ("fd-hard-limit 100000", "maxconn 200"))


class Nginx(Proxy):
    snippet = "nginx.conf"
    reload_signal = signal.SIGHUP

    def own_changes(self):
        return (("443 ssl", f"127.0.0.1:{self.port} ssl"),
                ("/etc/nginx/site.", self.dir + "/site."))

    def whole(self, text):
        paths = "".join(f"{name}_temp_path {self.dir}/{name};\n" for name in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (f"pid {self.dir}/pid;\nerror_log stderr;\n"
                "worker_processes 1;\nevents { worker_connections 500; }\n"
                f"http {{\naccess_log off;\n{paths}{text}}}\n")

    def command(self):
        return [program("nginx"), "-p", self.dir, "-c", self.config,
                "-e", "stderr", "-g", "daemon off;"]
