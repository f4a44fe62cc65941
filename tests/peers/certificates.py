"""Certificates of servers, good and bad ones, and the contexts that show them."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("localhost", "127.0.0.1", "::1")
DAY = timedelta(days=1)


class Certificates:
    """What `authority` signs, and what it does not."""

    def __init__(self, authority: trustme.CA) -> None:
        self.authority = authority
        self._made: dict[str, ssl.SSLContext] = {}

    @cached_property
    def good(self) -> trustme.LeafCert:
        return self.authority.issue_cert(*HOSTS)

    def server(self, kind: str) -> ssl.SSLContext:
        """A server's context: good, expired, not_yet_valid, wrong_host, unknown_issuer, self_signed, nothing_in_common,
        client_certificate. Made once, since making keys takes time."""
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        now = datetime.now(UTC)
        if kind == "self_signed":
            _load(context, *self_signed())
        elif kind == "expired":
            self.authority.issue_cert(*HOSTS, not_before=now - 9 * DAY, not_after=now - DAY).configure_cert(context)
        elif kind == "not_yet_valid":
            self.authority.issue_cert(*HOSTS, not_before=now + DAY, not_after=now + 9 * DAY).configure_cert(context)
        elif kind == "wrong_host":
            self.authority.issue_cert("elsewhere.example").configure_cert(context)
        elif kind == "unknown_issuer":
            trustme.CA().issue_cert(*HOSTS).configure_cert(context)
        else:
            self.good.configure_cert(context)
        if kind == "nothing_in_common":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("AES256-SHA256")  # RSA's key exchange, which a certificate of EC cannot do
        if kind == "client_certificate":
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context

    def client(self, folder: Path) -> Path:
        """A PEM file of a client's certificate and its key."""
        path = folder / "client.pem"
        self.authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def ca(self, folder: Path) -> Path:
        """A PEM file of the authority."""
        path = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return path


def self_signed() -> tuple[bytes, bytes]:
    """A certificate of localhost that nobody but itself has signed, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = built.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
