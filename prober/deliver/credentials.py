"""How an API learns who asks: HTTP's Basic (RFC 7617) where there is a user, Bearer (RFC 6750) where there is none."""

import base64

from pydantic import SecretStr


def authorization(username: str | None, secret: SecretStr | None) -> str:
    """The value of an Authorization header."""
    token = secret.get_secret_value() if secret is not None else ""
    if username is None:
        return f"Bearer {token}"
    return f"Basic {base64.b64encode(f'{username}:{token}'.encode()).decode()}"
