"""What the market refuses, in the words of the protocol.

The texts follow the ones that requesters have recorded from Mechanical Turk, because clients match on
substrings of them. The " (epoch ms)" that ends a message on the wire is added by the API layer.
"""

from __future__ import annotations

from typing import Literal

PREFIX = "AWS.MechanicalTurk."

RefusalReason = Literal[
    "unknown",  # no such worker, HIT or assignment, or not this worker's
    "no_seat",  # nothing (more) to accept
    "taken",  # this worker had its one assignment of the HIT
    "not_qualified",
    "closed",  # submitted, returned or past the deadline
    "invalid",  # what was handed in cannot be used
]


class MarketError(Exception):
    """Something the market cannot do; `str(error)` is a sentence for the caller."""


class Refused(MarketError):
    """A worker's wish that cannot be granted; `reason` is for programs, the message for people."""

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason: RefusalReason = reason


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


def invalid(field: str, problem: str) -> RequestError:
    """A parameter that the service model lets through but the market does not; names the field."""
    return RequestError(f"{field}: {problem}")


def unknown(kind: str, object_id: str) -> RequestError:
    """An object that is not there, or belongs to somebody else. `kind` is "Hit", "HITType", "Assignment",
    "QualificationType".
    """
    codes = {"Hit": "HITDoesNotExist", "HITType": "InvalidParameterValue"}
    code = codes.get(kind, f"{kind}DoesNotExist")
    return RequestError(f"{kind} {object_id} does not exist.", PREFIX + code)


def wrong_hit_state(status: str, allowed: str) -> RequestError:
    """An operation that the HIT's status does not allow; the two blanks are the original's."""
    return RequestError(
        f"This HIT is currently in the state '{status}'.  "
        f"This operation can be called with a status of: {allowed}",
        f"{PREFIX}InvalidHITState",
    )


def wrong_assignment_state(allowed: str) -> RequestError:
    """An operation that the assignment's status does not allow."""
    return wrong_state("Assignment", allowed)


def wrong_state(kind: str, allowed: str) -> RequestError:
    """An operation that the status of an "Assignment", "Qualification" or "QualificationType" forbids."""
    return RequestError(
        f"This operation can be called with a status of: {allowed}", f"{PREFIX}Invalid{kind}State"
    )


def insufficient_funds() -> RequestError:
    """The account's available balance does not cover what the call would commit it to."""
    return RequestError(
        "This Requester has insufficient funds in their account to complete this transaction. "
        "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs.",
        f"{PREFIX}InsufficientFunds",
    )


def not_authorised() -> RequestError:
    """The account is not one that the market knows."""
    return RequestError(
        "This user is not authorized to perform the requested operation.", "AWS.NotAuthorized"
    )
