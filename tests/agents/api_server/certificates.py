"""A certificate authority and a server certificate, made by the openssl command."""
import subprocess
from pathlib import Path

EXTENSIONS = """[server]
subjectAltName = IP:127.0.0.1, DNS:kubernetes.default.svc
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
"""


def _openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def _authority(directory, name):
    _openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-config", "openssl.cnf",
             "-extensions", "ca")


def make(directory: Path):
    """ca.crt, other.crt (an authority that signed nothing), server.crt and server.key in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "openssl.cnf").write_text(
        EXTENSIONS + "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = unused\n")
    _authority(directory, "ca")
    _authority(directory, "other")
    _openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
             "/CN=kube-apiserver", "-keyout", "server.key", "-out", "server.csr", "-config", "openssl.cnf")
    _openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", "2", "-out", "server.crt", "-extfile", "openssl.cnf", "-extensions", "server")
    return directory
