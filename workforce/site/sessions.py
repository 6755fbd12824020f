"""Who is signed in: a signed cookie, and a token against forged posts that is bound to it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

_MAX_AGE_S = 14 * 24 * 3600
_COOKIE = "workforce_session"


@dataclass(frozen=True)
class Session:
    """One browser's session; `worker_id` is None until sign-in."""

    nonce: str
    worker_id: str | None = None


class Sessions:
    """Reads and writes sessions; `secure` is for sites served over https."""

    def __init__(self, secret: str, *, secure: bool) -> None:
        if not secret:
            raise ValueError("the site needs a secret to sign its cookies; pass a long random string")
        self._secret = secret.encode()
        self._serializer = URLSafeTimedSerializer(secret, salt="workforce.site.session")
        self._secure = secure
        # The prefix makes browsers refuse a cookie that a neighbouring host has planted
        self._cookie = f"__Host-{_COOKIE}" if secure else _COOKIE

    @staticmethod
    def fresh(worker_id: str | None = None) -> Session:
        """A session that nobody has seen before."""
        return Session(secrets.token_urlsafe(18), worker_id)

    def read(self, request: Request) -> Session | None:
        """The session of a request; None when there is none, or it was tampered with, or is too old."""
        cookie = request.cookies.get(self._cookie)
        if not cookie:
            return None
        try:
            data = self._serializer.loads(cookie, max_age=_MAX_AGE_S)
            return Session(str(data["n"]), data["w"])
        except (BadData, KeyError, TypeError):
            return None

    def write(self, response: Response, session: Session) -> None:
        """Give the browser a session."""
        response.set_cookie(
            self._cookie,
            self._serializer.dumps({"n": session.nonce, "w": session.worker_id}),
            max_age=_MAX_AGE_S,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        """Take the session away."""
        response.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")

    def token(self, session: Session) -> str:
        """The token that every form of this session must carry."""
        message = f"workforce.site.csrf:{session.nonce}:{session.worker_id or ''}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def accepts(self, session: Session, token: str) -> bool:
        """Whether a posted token belongs to the session."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())
