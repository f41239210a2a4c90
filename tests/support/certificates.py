"""Certificates made for one run of the tests by openssl, so that none of them ever gets old."""
import subprocess


class Certificates:
    """An authority and what it has signed, in a folder: `authority`, `server` (for localhost, 127.0.0.1, and the far end of
    the cable 2 of support.namespace), `client`; and `stranger`, which signed itself. Each has NAME.pem and NAME.key."""

    def __init__(self, folder):
        self.folder = folder
        self._make("authority", ["-addext", "basicConstraints=critical,CA:TRUE"])
        self._make("stranger", ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        signed = ["-CA", self.file("authority.pem"), "-CAkey", self.file("authority.key")]
        self._make("server", [*signed, "-addext",
                              "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.77.2.2,IP:fd00:77:2::2"])
        self._make("client", [*signed, "-addext", "subjectAltName=DNS:client.example"])
        with open(folder / "both.pem", "w") as both:
            both.write((folder / "server.pem").read_text() + (folder / "server.key").read_text())

    def file(self, name):
        return str(self.folder / name)

    def _make(self, name, arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", f"/CN={name}", "-days", "2", "-keyout", self.file(name + ".key"),
                        "-out", self.file(name + ".pem"), *arguments], check=True, capture_output=True)
