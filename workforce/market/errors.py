"""What the market refuses, in the words of the protocol.

The texts follow the ones that requesters have recorded from Mechanical Turk, because clients match on
substrings of them. The " (epoch ms)" that ends a message on the wire is added by the API layer.
"""

from __future__ import annotations

PREFIX = "AWS.MechanicalTurk."


class MarketError(Exception):
    """Something the market cannot do; `str(error)` is a sentence for the caller."""


class RequestError(MarketError):
    """The caller's fault: HTTP 400, with a `TurkErrorCode`."""

    def __init__(self, message: str, turk_code: str = f"{PREFIX}InvalidParameterValue") -> None:
        super().__init__(message)
        self.turk_code = turk_code


class ServiceFault(MarketError):
    """The server's fault: HTTP 500, worth trying again."""


class NotImplementedYet(RequestError):
    """An operation or option of the API that this server does not have yet."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not implemented yet by this server.", f"{PREFIX}NotImplemented")
