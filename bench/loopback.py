"""Servers of our own, each a process: `python -m bench.loopback http|hang|smtp FD` serves on the listening socket FD.

Small epoll loops that answer from constants, for where nginx and smtp-sink are not installed, and for what those do not do.
"""

import select
import socket
import sys
from collections.abc import Callable

BODY = b'{"results": {"company_name": "Example", "status": "active", "plan": {"code": "free", "is_self_serve": true}}}'
ANSWER = b"HTTP/1.1 200 OK\r\nServer: loopback\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b"
KEPT = ANSWER % (len(BODY), b"", BODY)
LAST = ANSWER % (len(BODY), b"Connection: close\r\n", BODY)
EHLO = b"250-loopback\r\n250-PIPELINING\r\n250-SIZE 35882577\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"

#: What a connection's new bytes are answered with; None: nothing. True: close it afterwards.
Speak = Callable[[bytes, dict[str, bytes]], tuple[bytes | None, bool]]


def http(data: bytes, held: dict[str, bytes]) -> tuple[bytes | None, bool]:
    """Requests without a body."""
    whole = held.get("rest", b"") + data
    if not whole.endswith(b"\r\n\r\n"):
        held["rest"] = whole
        return None, False
    held["rest"] = b""
    last = b"connection: close" in whole.lower()
    return (LAST if last else KEPT), last


def hang(_data: bytes, _held: dict[str, bytes]) -> tuple[bytes | None, bool]:
    """Reads, and never answers."""
    return None, False


def smtp(data: bytes, held: dict[str, bytes]) -> tuple[bytes | None, bool]:
    """Takes every mail."""
    if "data" in held:
        held["data"] = (held["data"] + data)[-5:]
        if held["data"] != b"\r\n.\r\n":
            return None, False
        del held["data"]
        return b"250 2.0.0 Ok: queued\r\n", False
    verb = data[:4].upper()
    if verb == b"EHLO":
        return EHLO, False
    if verb == b"DATA":
        held["data"] = b""
        return b"354 End data with <CR><LF>.<CR><LF>\r\n", False
    if verb == b"QUIT":
        return b"221 2.0.0 Bye\r\n", True
    return b"250 2.1.0 Ok\r\n", False


def serve(listener: socket.socket, speak: Speak, greeting: bytes) -> None:
    """Until SIGTERM."""
    epoll = select.epoll()
    listener.setblocking(False)
    epoll.register(listener.fileno(), select.EPOLLIN)
    clients: dict[int, tuple[socket.socket, dict[str, bytes]]] = {}
    while True:
        for fd, _events in epoll.poll():
            if fd == listener.fileno():
                _accept(listener, epoll, clients, greeting)
            else:
                sock, held = clients[fd]
                if _answer(sock, held, speak):
                    del clients[fd]
                    sock.close()


def _accept(
    listener: socket.socket,
    epoll: select.epoll,
    clients: dict[int, tuple[socket.socket, dict[str, bytes]]],
    greeting: bytes,
) -> None:
    for _ in range(64):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        clients[sock.fileno()] = (sock, {})
        epoll.register(sock.fileno(), select.EPOLLIN)
        if greeting:
            sock.send(greeting)


def _answer(sock: socket.socket, held: dict[str, bytes], speak: Speak) -> bool:
    """Whether the connection is over."""
    try:
        data = sock.recv(65536)
        if not data:
            return True
        answer, last = speak(data, held)
        if answer:
            sock.send(answer)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return last


def main() -> None:
    kind, fd = sys.argv[1], int(sys.argv[2])
    speak: Speak = {"http": http, "hang": hang, "smtp": smtp}[kind]
    serve(socket.socket(fileno=fd), speak, b"220 loopback ESMTP\r\n" if kind == "smtp" else b"")


if __name__ == "__main__":
    main()
