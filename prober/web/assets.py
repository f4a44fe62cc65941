"""`/static/NAME`: the style sheets and scripts of the pages, as they lie in the package. Nothing comes from elsewhere."""

import hashlib
from importlib import resources

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prober.web.formats import has_already

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Assets:
    """The route's handler; every file is read once, at the start."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str, str]] = {}  # name: content, type, entity tag
        for file in resources.files("prober.web").joinpath("static").iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind is not None:
                content = file.read_bytes()
                self._files[file.name] = (content, kind, f'"{hashlib.sha256(content).hexdigest()[:16]}"')

    async def get(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("Not found.\n", 404)
        content, kind, tag = found
        headers = {"Cache-Control": "max-age=300", "ETag": tag}
        if has_already(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)
