"""The kinds of text that a configuration holds, each with its syntax: durations, names, addresses, URLs, headers.

Each is a type for `prober.settings`: it refuses with a ValueError that says what is wrong and what would be right, and
that never repeats the value (it may have come from the environment and be a secret).
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, ValidationInfo

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = r"^\s*\d{1,9}(\.\d{1,3})?\s*(ms|s|m|h|d)\s*$"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 5.6.2
_FIELD_NAME = re.compile(r"[!-9;-~]+\Z")  # RFC 5322 3.6.8
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def parse_duration(value: object) -> int:
    """Milliseconds of a duration (`500ms`, `10s`, `5m`, `2h`, `1d`). Raises ValueError with what would be right."""
    if isinstance(value, str) and (m := re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|h|d)\s*", value, re.ASCII)):
        ms = round(float(m[1]) * _UNITS[m[2]])
        if ms > 0:
            return ms
    raise ValueError("is not a duration; write a positive number with its unit, such as 500ms, 10s, 5m, 2h or 1d")


def format_duration(ms: int) -> str:
    """The shortest way to write `ms` milliseconds that `parse_duration` reads back."""
    for unit in ("d", "h", "m", "s"):
        if ms % _UNITS[unit] == 0:
            return f"{ms // _UNITS[unit]}{unit}"
    return f"{ms}ms"


def split_host_port(text: str) -> tuple[str, int]:
    """Host (without brackets) and port of `host:port` or `[IPv6]:port`. Raises ValueError with what would be right."""
    m = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^\[\]:]+)):([0-9]{1,5})", text)
    if m is None:
        hint = ", an IPv6 address in brackets: [2001:db8::1]:53" if text.count(":") > 1 else ", such as 192.0.2.53:53"
        raise ValueError(f"is not an address and a port; write host:port{hint}")
    port = int(m[3])
    if not 0 <= port <= 65535:
        raise ValueError("has a port past 65535; write host:port with a port from 1 to 65535")
    if m[1] is not None:
        _ip(m[1])
    return (m[1] if m[1] is not None else _host(m[2])), port


def _ip(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("is not an IP address; write one such as 192.0.2.1 or 2001:db8::1") from None
    return text


def _host(text: str) -> str:
    """A host's name or address, an IPv6 address with or without brackets; given back without."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if re.fullmatch(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*", bare):
        return _ip(bare)
    name = bare.removesuffix(".")
    if re.fullmatch(r"[0-9.]+", name):
        return _ip(bare)
    if len(name) > 253 or not all(_LABEL.match(label) for label in name.split(".")):
        raise ValueError(
            "is not a host's name; write a name such as smtp.example.com (letters outside ASCII as xn--...)"
            " or an address, without scheme or port"
        )
    return bare


def _host_port(text: str) -> str:
    if split_host_port(text)[1] == 0:
        raise ValueError("has port 0; write host:port with a port from 1 to 65535")
    return text


def _listen(text: str) -> str:
    if re.fullmatch(r":[0-9]*", text):
        raise ValueError("names no address; write 127.0.0.1:9580, or 0.0.0.0:9580 or [::]:9580 for all addresses")
    try:
        split_host_port(text)  # port 0: any free one
    except ValueError:
        raise ValueError("is not an address and a port; write one such as 127.0.0.1:9580 or [::1]:9580") from None
    return text


def _nameserver(text: str) -> str:
    with_port = text.startswith("[") or text.count(":") == 1
    _ip(split_host_port(text)[0] if with_port else text)
    return text


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError("is not a name; use letters, digits, '_', '.', '-', 64 at most, a letter or digit first")
    return value


def _url(text: str) -> str:
    """An http or https URL as it goes on the wire (RFC 3986), without user information and fragment."""
    if not text.isascii() or _CONTROL.search(text) or " " in text:
        raise ValueError("holds blanks or characters outside ASCII; write them percent-encoded, the host as xn--...")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("is not a URL; write one such as https://api.example.com/v1/account") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("is not an http or https URL; write one such as https://api.example.com/v1/account")
    if "@" in parts.netloc:
        raise ValueError("holds a user or password; send credentials in a header")
    if "#" in text:
        raise ValueError("holds a fragment (#...), which is never sent; leave it out")
    if not host or port == 0:
        raise ValueError("names no host or port 0; write one such as https://api.example.com/v1/account")
    _host(host)
    return text


def _proxy(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("is not a proxy's URL; write one such as http://proxy.example.com:3128")
    return secret


def _mail_address(text: str) -> str:
    """A bare address, local@domain (RFC 5321 4.1.2; RFC 6531 allows letters outside ASCII)."""
    local, at, domain = text.rpartition("@")
    if not at or not local or len(text) > 320 or _CONTROL.search(text) or re.search(r"[\s<>,;]", text):
        raise ValueError("is not a mail address; write the address alone, such as oncall@example.com")
    if not domain.startswith("["):
        try:
            _host(domain.encode("idna").decode() if not domain.isascii() else domain)
        except ValueError:
            raise ValueError("has no valid domain after the @; write an address such as oncall@example.com") from None
    return text


def _one_line(text: str) -> str:
    if _CONTROL.search(text.replace("\t", " ")):
        raise ValueError("holds a line break or another control character; write it in one line")
    return text


def _reply_header_name(text: str) -> str:
    if not _TOKEN.match(text):
        raise ValueError("is not a header's name; use letters, digits and '-', no blanks and no colon")
    return text


def _header_name(text: str) -> str:
    if _reply_header_name(text).lower() in ("content-length", "transfer-encoding", "connection"):
        raise ValueError("is set by the program itself; leave it out")
    return text


def _mail_header_name(text: str) -> str:
    if not _FIELD_NAME.match(text):
        raise ValueError("is not a header's name; use letters, digits and '-', no blanks and no colon")
    return text


def _one_line_secret(secret: SecretStr) -> SecretStr:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", secret.get_secret_value()):
        raise ValueError(
            "holds a line break or another control character (a file or variable that ends in one?); remove it"
        )
    return secret


def _header_value(secret: SecretStr) -> SecretStr:
    if not _one_line_secret(secret).get_secret_value().isascii():
        raise ValueError("holds characters outside ASCII, which a header cannot carry; encode them")
    return secret


def _method(text: str) -> str:
    if not _TOKEN.match(text):
        raise ValueError("is not an HTTP method; write one such as GET, POST or HEAD")
    if text != text.upper():
        raise ValueError("is in small letters, and HTTP's methods are told apart by case; write it in capitals")
    if text == "CONNECT":
        raise ValueError("is for proxies; write GET, POST, HEAD or another method")
    return text


def _url_template(text: str) -> str:
    """A template of a URL whose scheme and host stand in it as they are: no act can lead a request elsewhere."""
    if not re.match(r"https?://[^/?#{}\s]+(?:[/?]|\Z)", text):
        raise ValueError("does not begin with a scheme and host as they are, such as https://desk.example.com/tickets")
    _url(re.match(r"https?://[^/?]+", text)[0])  # type: ignore[index]  # it matched above
    if _CONTROL.search(text):
        raise ValueError("holds a line break or another control character; write it in one line")
    return text


def _phone(text: str) -> str:
    """A telephone number as ITU-T E.164 writes it, blanks and dashes left out."""
    number = re.sub(r"[\s().-]", "", text)
    if not re.fullmatch(r"\+[1-9][0-9]{3,14}", number):
        raise ValueError('is not a telephone number; write it with its country in quotes, such as "+49 30 1234567"')
    return number


def _oid(text: str) -> str:
    if not re.fullmatch(r"1\.3(\.(0|[1-9][0-9]{0,9})){1,100}", text):
        raise ValueError("is not an object identifier below 1.3; write numbers joined by dots")
    return text


def _engine_id(text: str) -> str:
    if not re.fullmatch(r"(0x)?([0-9a-fA-F]{2}){5,32}", text):
        raise ValueError("is not an SNMP engine's id; write 5 to 32 bytes in hexadecimal, such as 80001f8804abcdef01")
    return text.removeprefix("0x")


def _account_sid(text: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", text):
        raise ValueError("is not a Twilio account's SID; write AC and 32 hexadecimal digits")
    return text


def _label_name(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,100}", text):
        raise ValueError("is not a label's name; use letters, digits and '_', no digit first")
    return text


def _status(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and not re.fullmatch(r"[1-5][0-9][0-9]|[1-5]xx", text):
        raise ValueError("is not a status; write a code from 100 to 599, or a class: 1xx, 2xx, 3xx, 4xx, 5xx")
    return text


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:  # a bound on the length would also complain of codes that are none
        raise ValueError("is empty; write a value, or leave the key out")
    return value


def _pattern(text: str) -> str:
    """A regular expression that RE2 takes, so that it runs in linear time."""
    import re2  # heavy to load, and most configurations hold no pattern

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        what = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        what, _, piece = what.partition(": ")
        place = f" at character {text.find(piece) + 1}" if piece and piece in text else ""
        hint = (
            "RE2 knows no look-around and no back-references"
            if "perl" in what or "escape" in what
            else "correct it there"
        )
        raise ValueError(f"is not a regular expression (RE2): {what}{place}; {hint}") from None
    return text


def vendor_of_host(data: dict[str, Any]) -> str:
    """Whose error bodies an endpoint answers with, judged by its host (classification.md, "Bird / SparkPost")."""
    host = str(data.get("host") or "")
    if not host and data.get("url"):
        host = urlsplit(str(data["url"])).hostname or ""
    host = "." + host.lower().rstrip(".")
    if host.endswith((".sparkpost.com", ".sparkpostmail.com")):
        return "sparkpost"
    return "bird" if host.endswith((".bird.com", ".messagebird.com")) else "generic"


def _vendor(value: str, info: ValidationInfo) -> str:
    return vendor_of_host(info.data) if value == "auto" else value


def _against_base(path: Path, info: ValidationInfo) -> Path:
    """Paths are relative to the configuration file: its folder comes in as the validation's context."""
    base = info.context.get("base") if isinstance(info.context, dict) else None
    try:
        return base / path.expanduser() if base is not None else path
    except RuntimeError:
        raise ValueError(
            f"begins with {path.parts[0]}, and nobody of that name is known here; write the whole path"
        ) from None


def _some_path(value: object) -> object:
    if value == "":  # as a path it would be the folder
        raise ValueError("is empty; write a path, or leave the key out")
    return value


#: Milliseconds, written with a unit.
Duration = Annotated[
    int,
    BeforeValidator(parse_duration, json_schema_input_type=Annotated[str, Field(pattern=DURATION)]),
    PlainSerializer(format_duration),
]
#: A name of a service, an endpoint, a control or a receiver; it becomes a label and a part of keys.
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"})]
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, AfterValidator(_host)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Listen = Annotated[str, AfterValidator(_listen)]
Nameserver = Annotated[str, AfterValidator(_nameserver)]
Address = Annotated[str, AfterValidator(_ip)]
Url = Annotated[str, AfterValidator(_url)]
UrlTemplate = Annotated[str, AfterValidator(_url_template)]
Phone = Annotated[str, AfterValidator(_phone)]
Oid = Annotated[str, AfterValidator(_oid)]
EngineId = Annotated[str, AfterValidator(_engine_id)]
AccountSid = Annotated[str, AfterValidator(_account_sid)]
LabelName = Annotated[str, AfterValidator(_label_name)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
PageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
OneLine = Annotated[str, AfterValidator(_one_line)]
Secret = Annotated[SecretStr, Field(min_length=1)]
#: What is typed or sent in one line, as no key for signatures needs to be.
Password = Annotated[SecretStr, Field(min_length=1), AfterValidator(_one_line_secret)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
ReplyHeaderName = Annotated[str, AfterValidator(_reply_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
MailHeaderName = Annotated[str, AfterValidator(_mail_header_name)]
Method = Annotated[str, AfterValidator(_method)]
Status = Annotated[
    str,
    BeforeValidator(
        _status,
        json_schema_input_type=Annotated[int, Field(ge=100, le=599)]
        | Annotated[str, Field(pattern="^[1-5]([0-9]{2}|xx)$")],
    ),
]
Statuses = Annotated[tuple[Status, ...], AfterValidator(_some)]
Pattern = Annotated[str, AfterValidator(_pattern)]
VendorName = Annotated[str, AfterValidator(_vendor)]
File = Annotated[Path, BeforeValidator(_some_path), AfterValidator(_against_base)]
