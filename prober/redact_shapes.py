"""What is secret by its shape, whoever it belongs to: credentials in headers, AUTH exchanges, tokens, keys in URLs."""

import base64
import re

HIDDEN = "***"

_CREDENTIAL_HEADERS = (
    r"(?:set-)?cookie2?|(?:x-)?(?:[a-z0-9]+-)?api-?key|(?:x-)?auth(?:-[a-z]+)*-?token|x-access-token"
    r"|x-amz-security-token"
)
_CREDENTIAL_KEYS = (
    rf"(?:proxy-)?authorization|{_CREDENTIAL_HEADERS}|password|passwd|passphrase|secret|client_secret|token"
    r"|access_token|refresh_token|api_?key|access_?key|private_?key|hmac_?key|routing_?key|credentials?|signature"
)
SECRET_KEY = re.compile(rf"(?:{_CREDENTIAL_KEYS})\Z", re.IGNORECASE)

#: A user or a password in an IMAP command, quoted or not.
_ASTRING = r"(?:\"(?:[^\"\\\r\n]|\\.)*\"|[^\s\"]+)"
#: What is secret by its shape: words of which one must be there in small letters, the shape, what stands there instead.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (  # the scheme stays: it shows what was tried
        ("authorization",),
        re.compile(
            r"(?i)\b((?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*[\"']?)([a-z][a-z0-9_-]{2,15}[ \t]+)?[^\r\n\"']+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (
        ("cookie", "key", "token"),
        re.compile(rf"(?i)(?<![a-z0-9-])((?:{_CREDENTIAL_HEADERS})[ \t]*:[ \t]*)[^\r\n]+"),
        rf"\1{HIDDEN}",
    ),
    (
        ("pass", "secret", "token", "key", "credential", "signature", "cookie"),
        re.compile(rf"(?i)([\"'](?:{_CREDENTIAL_KEYS})[\"']\s*:\s*)(?:\"(?:[^\"\\\r\n]|\\.)*\"|'[^'\r\n]*')"),
        rf'\1"{HIDDEN}"',
    ),
    (  # a header as a pair, in JSON or as Python shows it
        ("authorization", "cookie", "key", "token"),
        re.compile(
            rf"(?i)([\[(]\s*[\"'](?:(?:proxy-)?authorization|{_CREDENTIAL_HEADERS})[\"']\s*,\s*)"
            r"(?:\"(?:[^\"\\\r\n]|\\.)*\"|'[^'\r\n]*')"
        ),
        rf'\1"{HIDDEN}"',
    ),
    (  # AUTH with an initial response (RFC 4954 4), not the server's list of mechanisms
        ("auth",),
        re.compile(r"(?i)(?<!250[ -])\b(AUTH[ \t]+[A-Z0-9_-]{3,20}[ \t]+)[A-Za-z0-9+/=*]+"),
        rf"\1{HIDDEN}",
    ),
    (  # the client's line after a challenge
        ("334",),
        re.compile(
            r"(?m)(^[^\r\n]{0,40}\b334(?:[ -][^\r\n]*)?\r?\n(?:[ \t]*[0-9]{1,9}\.[0-9] ms )?[^A-Za-z0-9+/=\r\n]{0,40})"
            r"[A-Za-z0-9+/]{2,}=*(?=\r?$)"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        ("bearer", "basic", "accesskey", "token", "apikey"),
        re.compile(
            r"(?i)\b((?:bearer|basic|accesskey|token|apikey)[ \t]+)"
            r"(?=[A-Za-z._~+/-]*[0-9]|\S{24})[A-Za-z0-9._~+/-]{8,}=*"
        ),
        rf"\1{HIDDEN}",
    ),
    (("://",), re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^/\s@\"'<>?#]{1,512}@"), rf"\1{HIDDEN}@"),
    (
        ("?", "&"),
        re.compile(
            r"(?i)([?&;](?:api[_-]?key|key|token|access_token|password|passwd|secret|sig|signature)=)[^&\s\"'<>#]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (  # a form's body
        ("password=", "passwd=", "pwd=", "secret=", "key=", "token="),
        re.compile(
            r"(?i)\b((?:password|passwd|pwd|(?:client_)?secret|api[_-]?key|(?:access_|refresh_|auth_)token)=)[^&\s\"'<>#]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (  # IMAP (RFC 9051 6.2.3)
        ("login",),
        re.compile(rf"(?m)\b([A-Za-z]{{1,6}}[0-9]{{1,6}} LOGIN {_ASTRING} ){_ASTRING}(?=\r?$)"),
        rf"\1{HIDDEN}",
    ),
    (  # a JSON Web Token (RFC 7519)
        (".eyj",),
        re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+"),
        HIDDEN,
    ),
    (
        ("private key-----",),
        re.compile(r"-----BEGIN ([A-Z ]{0,20}PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        rf"-----BEGIN \1----- {HIDDEN}",
    ),
)

#: What AUTH PLAIN (RFC 4616) and CRAM-MD5 (RFC 2195) say, once it is decoded.
_LOGINS = (
    re.compile(rb"[^\x00-\x1f]*\x00[^\x00-\x1f]+\x00[^\x00-\x1f]+\Z"),
    re.compile(rb"[^\x00-\x20]+ [0-9a-f]{32}\Z"),
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{8,1000}={0,2}(?![A-Za-z0-9+/=])")


def hide_shapes(text: str) -> str:
    """`text` without what is secret by its shape."""
    lower = text.lower()
    for words, shape, replacement in _SHAPES:
        if any(word in lower for word in words):
            text = shape.sub(replacement, text)
    return _TOKEN.sub(_unless_login, text)


def _unless_login(match: re.Match[str]) -> str:
    """A run of base64, or what stands instead of it where it is a login."""
    token = match[0]
    if len(token) % 4:
        return token
    said = base64.b64decode(token)
    return HIDDEN if any(login.match(said) for login in _LOGINS) else token
