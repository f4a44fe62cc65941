"""A serving process that does as it is told over the link: for the tests of the one that starts it.

It answers every message with {"type": "saw", "of": its type, "pid"}; `die` ends it with status 3, `deaf` makes it read no more,
`stubborn` makes it ignore SIGTERM, and `bad` is answered with what the other side cannot take.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", type=int)
    parser.add_argument("--listen", type=int)
    given = parser.parse_args()
    link = socket.socket(fileno=given.link)
    said = socket.socket(fileno=given.listen).getsockname()[1]

    def say(**message: object) -> None:
        link.sendall(json.dumps(message).encode() + b"\n")

    def told_to_end(_number: int, _frame: object) -> None:
        say(type="saw", of="SIGTERM", pid=os.getpid(), port=said)
        os._exit(0)

    signal.signal(signal.SIGTERM, told_to_end)
    rest = b""
    while data := link.recv(65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            kind = json.loads(line)["type"]
            say(type="saw", of=kind, pid=os.getpid(), port=said)
            if kind == "die":
                sys.exit(3)
            if kind == "deaf":
                time.sleep(3600)
            if kind == "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if kind == "bad":
                say(type="bad")
                say(type="saw", of="after bad", pid=os.getpid(), port=said)


if __name__ == "__main__":
    main()
