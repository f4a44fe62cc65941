"""`python -m prober.healthcheck [ADDRESS [PATH]]`: exit status 0 when the prober there answers that it is well, 1 otherwise.

For a container's HEALTHCHECK. It reads no configuration and imports next to nothing, so that a check every few seconds
takes nothing from the measuring. ADDRESS is host:port (127.0.0.1:9580), PATH is /-/healthy.
"""

import http.client
import sys

ADDRESS = "127.0.0.1:9580"
PATH = "/-/healthy"
#: Seconds for the answer.
TIMEOUT = 2.0


def ask(address: str, path: str) -> tuple[bool, str]:
    """Whether it is well, and what it says."""
    try:
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            said = answer.read(1024).decode(errors="replace").strip()
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"{address} does not answer: {error}"
    return answer.status == 200, said or f"answers {answer.status}"


def main(arguments: list[str]) -> int:
    """The check itself; what was said goes to standard output, where the container's engine keeps it."""
    address, path = (*arguments, *(ADDRESS, PATH)[len(arguments) :])[:2]
    well, said = ask(address, path)
    print(said)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
