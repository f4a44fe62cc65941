"""What a form, or a program in its place, sends: read with bounds."""

from urllib.parse import parse_qsl

from starlette.requests import Request

#: Bytes of a body.
LARGEST = 65_536
_FIELDS = 50


async def body_of(request: Request) -> bytes | None:
    """The body of a request; None when it is too large, and then no more of it is kept."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            return None
    return body


async def posted(request: Request) -> dict[str, str] | None:
    """The fields of a form (application/x-www-form-urlencoded), the last of a name; None when it is none or too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = await body_of(request)
    if body is None:
        return None
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:  # no UTF-8, or too many fields
        return None
    return {name: value.replace("\r\n", "\n") for name, value in fields}
