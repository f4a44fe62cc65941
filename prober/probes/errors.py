"""What the operating system and OpenSSL raise, as the rules' Trouble. Nothing above the wire sees a library's error."""

import errno
import re
import ssl

from rules.model import Trouble

_BY_ERRNO: dict[int, Trouble] = {
    errno.ECONNREFUSED: Trouble.REFUSED,
    errno.ECONNRESET: Trouble.RESET,
    errno.EPIPE: Trouble.RESET,
    errno.ECONNABORTED: Trouble.RESET,
    errno.ENETRESET: Trouble.RESET,
    errno.ETIMEDOUT: Trouble.TIMEOUT,
    errno.EHOSTUNREACH: Trouble.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Trouble.HOST_UNREACHABLE,
    errno.ENONET: Trouble.HOST_UNREACHABLE,  # this one and the next two: ICMP of some router (Linux, icmp_err_convert)
    errno.ENOPROTOOPT: Trouble.HOST_UNREACHABLE,
    errno.EOPNOTSUPP: Trouble.HOST_UNREACHABLE,
    errno.ENETUNREACH: Trouble.NO_ROUTE,
    errno.ENETDOWN: Trouble.NO_ROUTE,
    errno.EINVAL: Trouble.NO_ROUTE,  # connect(2) with a source the route cannot use
    errno.EAFNOSUPPORT: Trouble.NO_ROUTE,  # a family this machine does not speak
    errno.EPERM: Trouble.NOT_PERMITTED,
    errno.EACCES: Trouble.NOT_PERMITTED,
    errno.EMFILE: Trouble.NO_DESCRIPTORS,
    errno.ENFILE: Trouble.NO_DESCRIPTORS,
    errno.ENOSPC: Trouble.NO_DESCRIPTORS,  # epoll_ctl(2): fs.epoll.max_user_watches
    errno.EADDRNOTAVAIL: Trouble.NO_PORTS,
    errno.EADDRINUSE: Trouble.NO_PORTS,
    errno.ENOBUFS: Trouble.NO_MEMORY,
    errno.ENOMEM: Trouble.NO_MEMORY,
}

#: A family that this machine has not, or may not use, or that leads nowhere.
_FAMILY_TROUBLES = (Trouble.NO_ROUTE, Trouble.NOT_PERMITTED, Trouble.HOST_UNREACHABLE)
#: What kept us from trying an address at all: no other address's trouble can stand for it (invariant 5).
UNTRIED_TROUBLES = frozenset({Trouble.NO_DESCRIPTORS, Trouble.NO_PORTS, Trouble.NO_MEMORY, Trouble.ENGINE})

# X509_V_ERR_* of OpenSSL's x509_vfy.h
_BY_VERIFY_CODE: dict[int, Trouble] = {
    2: Trouble.TLS_UNKNOWN_ISSUER,  # unable to get issuer certificate
    9: Trouble.TLS_NOT_YET_VALID,
    10: Trouble.TLS_EXPIRED,
    18: Trouble.TLS_UNKNOWN_ISSUER,  # self-signed leaf
    19: Trouble.TLS_UNKNOWN_ISSUER,  # self-signed in chain
    20: Trouble.TLS_UNKNOWN_ISSUER,  # unable to get local issuer
    21: Trouble.TLS_UNKNOWN_ISSUER,  # unable to verify the first certificate
    62: Trouble.TLS_WRONG_HOST,
    64: Trouble.TLS_WRONG_HOST,  # IP address mismatch
}

#: Alerts (RFC 6066 9, RFC 8446 6.2) whose names in OpenSSL do not say so: those of sslerr.h from SSL_AD_REASON_OFFSET on.
_ALERTS = frozenset(
    {
        "TLSV1_UNSUPPORTED_EXTENSION",
        "TLSV1_CERTIFICATE_UNOBTAINABLE",
        "TLSV1_UNRECOGNIZED_NAME",
        "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE",
        "TLSV1_BAD_CERTIFICATE_HASH_VALUE",
    }
)


def os_trouble(code: int) -> tuple[Trouble, str]:
    """The trouble that an errno shows, and its name for people ("ECONNREFUSED")."""
    return _BY_ERRNO.get(code, Trouble.ENGINE), errno.errorcode.get(code, f"errno {code}")


def says_more(trouble: Trouble, than: Trouble) -> bool:
    """Whether, of two addresses of one server that have failed, this one's trouble stands for the call.

    One family's failure is a diagnostic (classification.md, rule 10): what the server's other addresses do says more. Of two
    that say as much, the later one stands.
    """
    return _weight(trouble) >= _weight(than)


def _weight(trouble: Trouble) -> int:
    if trouble in UNTRIED_TROUBLES:
        return len(_FAMILY_TROUBLES) + 1
    return _FAMILY_TROUBLES.index(trouble) if trouble in _FAMILY_TROUBLES else len(_FAMILY_TROUBLES)


def is_cut(error: ssl.SSLError) -> bool:
    """The connection ended without a word. Older Pythons (Debian 12's 3.11.2) have no SSLEOFError for it everywhere."""
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"


def tls_trouble(error: ssl.SSLError) -> tuple[Trouble, str]:
    """The trouble that an error of OpenSSL shows, and its reason for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, Trouble.TLS_UNVERIFIED), error.verify_message
    if isinstance(error, ssl.SSLZeroReturnError) or is_cut(error):
        return Trouble.CLOSED, "closed during TLS"
    # Only what OpenSSL itself raised has one, and of that only what this Python knows by name ("no application protocol" it
    # does not): the others have words, with the line of its source behind them.
    reason = getattr(error, "reason", None) or re.sub(r" \(_ssl\.c:\d+\)$", "", str(error))
    return (Trouble.TLS_ALERT if "ALERT" in reason.upper() or reason in _ALERTS else Trouble.TLS_FAILED), reason
