"""A little DNS server on loopback (UDP), whose zone is a dict; what it must not answer, or answer late, is said by name."""

import contextlib
import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


@dataclass
class Zone:
    """`records`: (name, type) -> [(ttl, value)]; `codes`: name -> RCODE; `silent`: never answered; `slow`: after `release`."""

    records: dict[tuple[str, int], list[tuple[int, str]]] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    silent: set[tuple[str, int]] = field(default_factory=set)
    slow: dict[tuple[str, int], threading.Event] = field(default_factory=dict)


class DnsPeer:
    """`asked` are the questions in their order."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, int]] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._late: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, name="dns-peer", daemon=True)
        self._thread.start()

    @property
    def nameserver(self) -> str:
        return f"127.0.0.1:{self._sock.getsockname()[1]}"

    def count(self, name: str, kind: int) -> int:
        return self.asked.count((name, kind))

    def wait_for(self, name: str, kind: int, count: int) -> None:
        """Until the question has come `count` times."""
        until = time.monotonic() + 10
        while self.count(name, kind) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{name} was asked {self.count(name, kind)} times only")
            time.sleep(0.005)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendto(b"", self._sock.getsockname())
        self._thread.join(5)
        for event in self.zone.slow.values():
            event.set()
        for thread in self._late:
            thread.join(5)
        self._sock.close()

    def _serve(self) -> None:
        while True:
            data, client = self._sock.recvfrom(4096)
            if not data:
                return
            name, kind, question = _question(data)
            self.asked.append((name, kind))
            if (name, kind) in self.zone.silent:
                continue
            answer = self._answer(data, name, kind, question)
            gate = self.zone.slow.get((name, kind))
            if gate is None:
                self._sock.sendto(answer, client)
            else:
                thread = threading.Thread(target=self._send_late, args=(gate, answer, client), daemon=True)
                self._late.append(thread)
                thread.start()

    def _send_late(self, gate: threading.Event, answer: bytes, client: tuple[str, int]) -> None:
        gate.wait(10)
        with contextlib.suppress(OSError):
            self._sock.sendto(answer, client)

    def _answer(self, data: bytes, name: str, kind: int, question: bytes) -> bytes:
        code = self.zone.codes.get(name, 0)
        records = [] if code else list(self._records(name, kind))
        head = data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + question + b"".join(records)

    def _records(self, name: str, kind: int) -> Iterator[bytes]:
        for ttl, value in self.zone.records.get((name, CNAME), []):
            yield _record(name, CNAME, ttl, _name(value))
            yield from self._records(value, kind)
        for ttl, value in self.zone.records.get((name, kind), []):
            yield _record(name, kind, ttl, ipaddress.ip_address(value).packed)


def _question(data: bytes) -> tuple[str, int, bytes]:
    at, labels = 12, []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += length + 1
    return ".".join(labels).lower(), struct.unpack(">H", data[at + 1 : at + 3])[0], data[12 : at + 5]


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: str, kind: int, ttl: int, data: bytes) -> bytes:
    return _name(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


@contextlib.contextmanager
def dns_peer(zone: Zone) -> Iterator[DnsPeer]:
    peer = DnsPeer(zone)
    try:
        yield peer
    finally:
        peer.close()
