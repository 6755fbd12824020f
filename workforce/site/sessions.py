"""Who is signed in: a signed cookie, and a token against forged posts that is bound to it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from workforce.market.sessions import SessionEpochs

_MAX_AGE_S = 12 * 3600
_STATE = "workforce_session"
_COOKIE = "workforce_session"


@dataclass(frozen=True)
class Session:
    """One browser's session; `worker_id` is None until sign-in, `epoch` is the worker's at sign-in."""

    nonce: str
    worker_id: str | None = None
    epoch: int = 0


class Sessions:
    """Reads and writes sessions; `secure` is for sites served over https.

    The cookie says who signed in; `epochs` knows whether they have signed out since.
    """

    def __init__(self, secret: str, epochs: SessionEpochs, *, secure: bool) -> None:
        if not secret:
            raise ValueError("the site needs a secret to sign its cookies; pass a long random string")
        self._epochs = epochs
        self._secret = secret.encode()
        self._serializer = URLSafeTimedSerializer(secret, salt="workforce.site.session")
        self._secure = secure
        # The prefix makes browsers refuse a cookie that a neighbouring host has planted
        self._cookie = f"__Host-{_COOKIE}" if secure else _COOKIE

    def fresh(self, worker_id: str | None = None) -> Session:
        """A session that nobody has seen before."""
        epoch = 0 if worker_id is None else self._epochs.current(worker_id)
        return Session(secrets.token_urlsafe(18), worker_id, epoch)

    def read(self, request: Request) -> Session | None:
        """The session of a request; None when there is none, or it was tampered with, is too old or ended.

        Asks the database for a worker's session, once per request: not to be called in the event loop
        before it was called in a thread.
        """
        if not hasattr(request.state, _STATE):
            setattr(request.state, _STATE, self._read(request))
        found: Session | None = getattr(request.state, _STATE)
        return found

    def end(self, session: Session) -> None:
        """Sign the session's worker out, here and in every other browser."""
        if session.worker_id is not None:
            self._epochs.end(session.worker_id)

    def _read(self, request: Request) -> Session | None:
        cookie = request.cookies.get(self._cookie)
        if not cookie:
            return None
        try:
            data = self._serializer.loads(cookie, max_age=_MAX_AGE_S)
            session = Session(str(data["n"]), data["w"], int(data["e"]))
        except (BadData, KeyError, TypeError, ValueError):
            return None
        if session.worker_id is not None and session.epoch != self._epochs.current(session.worker_id):
            return None
        return session

    def write(self, response: Response, session: Session) -> None:
        """Give the browser a session."""
        response.set_cookie(
            self._cookie,
            self._serializer.dumps({"n": session.nonce, "w": session.worker_id, "e": session.epoch}),
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
