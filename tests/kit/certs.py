"""Certificates of one's own, made by openssl."""
import subprocess

EXTENSIONS = {
    "localhost": "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
    "elsewhere": "subjectAltName=IP:127.0.0.9,DNS:elsewhere.test\n",
    "client": "extendedKeyUsage=clientAuth\n",
}


class Certs:
    """
    In a directory: the certificate NAME.pem and the key NAME.key for each name
    above, which ca.pem has signed, and stranger.pem, another authority.
    """

    def __init__(self, path):
        self.path = path
        for name in "ca", "stranger":
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                         "-subj", f"/CN={name}", "-keyout", self(name, "key"),
                         "-out", self(name))
        for name in "localhost", "elsewhere", "client":
            extension = path / f"{name}.ext"
            extension.write_text(EXTENSIONS[name])
            self.openssl("req", "-newkey", "ec", "-pkeyopt",
                         "ec_paramgen_curve:P-256", "-nodes", "-subj",
                         f"/CN={name}", "-keyout", self(name, "key"),
                         "-out", self(name, "csr"))
            self.openssl("x509", "-req", "-in", self(name, "csr"), "-days", "2",
                         "-CA", self("ca"), "-CAkey", self("ca", "key"),
                         "-CAcreateserial", "-extfile", str(extension),
                         "-out", self(name))

    def __call__(self, name, kind="pem"):
        return str(self.path / f"{name}.{kind}")

    @staticmethod
    def openssl(*args):
        done = subprocess.run(["openssl", *args], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr

    def server(self, port, name="localhost", clients="no"):
        """Arguments of a redis-server with TLS only."""
        return ["--port", "0", "--tls-port", str(port),
                "--tls-cert-file", self(name), "--tls-key-file",
                self(name, "key"), "--tls-ca-cert-file", self("ca"),
                "--tls-auth-clients", clients]
