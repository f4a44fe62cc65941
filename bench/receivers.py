"""Receivers on loopback that stamp the first byte of what they get: an API, webhooks, a mailbox."""

import contextlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

from bench.loopback import smtp

#: Path (or "mail") and the instant (UTC seconds) of a request's first byte.
Seen = Callable[[str, float], int]
_OK = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256
    block_on_close = False
    allow_reuse_address = True


@contextlib.contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def http(seen: Seen) -> Iterator[int]:
    """The port of a server that answers each request with the status that `seen(path, at)` says."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data = self.request.recv(65536)
            at = time.time()
            while b"\r\n\r\n" not in data:
                data += self.request.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            length = next((int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
            while len(body) < length:
                body += self.request.recv(65536)
            self.request.sendall(_OK % seen(path, at))

    with _serving(Handler) as port:
        yield port


@contextlib.contextmanager
def mailbox(seen: Seen) -> Iterator[int]:
    """The port of an SMTP server that takes every mail; `seen("mail", at)` tells of the client's first byte."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            held: dict[str, bytes] = {}
            last = False
            told = False
            self.request.sendall(b"220 loopback ESMTP\r\n")
            while not last and (data := self.request.recv(65536)):
                if not told:
                    seen("mail", time.time())
                    told = True
                answer, last = smtp(data, held)
                if answer:
                    self.request.sendall(answer)

    with _serving(Handler) as port:
        yield port
