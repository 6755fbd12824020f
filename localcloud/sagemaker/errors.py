"""What the API refuses, in AWS's words where they are known, since clients match on them."""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than success: the error code that clients see, its text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Refused(ApiError):
    """A ``ValidationException``: the request, or the state that it meets, is not right."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class NotImplementedYet(ApiError):
    """Something of the real service that this one does not do; HTTP 400, so that clients do not retry."""

    def __init__(self, what: str, fix: str = "") -> None:
        advice = f" {fix}" if fix else ""
        super().__init__("NotImplemented", f"{what} is not implemented yet by this local SageMaker.{advice}")


class NotSupported(Refused):
    """A part of a request that this SageMaker cannot honour, refused before anything starts."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} is not implemented yet by this local SageMaker: {fix}")


class ResourceInUse(ApiError):
    """The name is taken, or the resource is not in a state for this."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class ServerClosing(Exception):
    """The server stops; work in progress is left as it is, for the next start to take up."""
