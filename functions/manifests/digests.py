"""What is made of a password before it goes to a server; it needs nothing but the password.

Adapters use it, which load neither our API's models nor pydantic.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

SUPER_USER = "super"
# Who the functions log in as, where every client has to; it may do nothing by itself.
FUNCTIONS_USER = "zookeeper-functions"


def super_user_digest(password: str) -> str:
    """Return `super:BASE64(SHA1("super:<password>"))`, as DigestAuthenticationProvider wants it."""
    sha1 = hashlib.sha1(f"{SUPER_USER}:{password}".encode(), usedforsecurity=False).digest()
    return f"{SUPER_USER}:{base64.b64encode(sha1).decode()}"


def functions_password(digest: str) -> str:
    """Return what the functions log in with, made of the super user's digest.

    A server knows that digest from its own start, so both change together, and no password of the
    super user is in a pod for it.
    """
    return hmac.new(digest.encode(), FUNCTIONS_USER.encode(), hashlib.sha256).hexdigest()
