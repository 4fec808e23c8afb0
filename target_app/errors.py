"""The failures that this service reports on purpose, and how any failure looks to a client.

An `ApiError` is an answer: a status, a type and a sentence that names what is wrong. Every other
exception is a defect or an outage; it reaches the client as a 500. This service is verbose by
design: each answer of 500 and above carries the traceback.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from http import HTTPStatus

from messages import Response


class ApiError(Exception):
    """A failure with a status of its own; the class name is the `type` that the client sees."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.headers = dict(headers or {})

    @property
    def kind(self) -> str:
        return type(self).__name__


class BadRequestError(ApiError):
    status = HTTPStatus.BAD_REQUEST


class PaymentDeclinedError(ApiError):
    status = HTTPStatus.PAYMENT_REQUIRED


class NotFoundError(ApiError):
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(ApiError):
    status = HTTPStatus.METHOD_NOT_ALLOWED


class ConflictError(ApiError):
    status = HTTPStatus.CONFLICT


class OutOfStockError(ConflictError):
    pass


class PriceChangedError(ConflictError):
    pass


class LengthRequiredError(ApiError):
    status = HTTPStatus.LENGTH_REQUIRED


class BodyTooLargeError(ApiError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaTypeError(ApiError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class ValidationError(ApiError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class ServiceUnavailableError(ApiError):
    status = HTTPStatus.SERVICE_UNAVAILABLE


class DependencyError(ServiceUnavailableError):
    pass


class DatabaseUnavailableError(ServiceUnavailableError):
    pass


class StorageFullError(ApiError):
    status = HTTPStatus.INSUFFICIENT_STORAGE


class PaymentTimeoutError(ApiError):
    status = HTTPStatus.GATEWAY_TIMEOUT


class ConfigError(ServiceUnavailableError):
    """config.json cannot be used. `kind` names the underlying failure when there is one."""

    @property
    def kind(self) -> str:
        return type(self.__cause__).__name__ if self.__cause__ else "ConfigError"


def invalid_field(field: str, problem: str) -> ValidationError:
    return ValidationError(f"{field} {problem}", field=field)


def describe(error: BaseException) -> dict[str, str]:
    """Return the `error` object of an answer: type, detail, and the traceback of a 5xx."""
    if not isinstance(error, ApiError):
        return {
            "type": type(error).__name__,
            "detail": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
    described = {"type": error.kind, "detail": error.detail}
    if error.field is not None:
        described["field"] = error.field
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        described["traceback"] = "".join(traceback.format_exception(error))
    return described


def as_response(error: BaseException) -> Response:
    """Turn a failure into its answer."""
    if isinstance(error, ApiError):
        return Response(int(error.status), {"error": describe(error)}, error.headers)
    return Response(int(HTTPStatus.INTERNAL_SERVER_ERROR), {"error": describe(error)})
