"""Errors on their way: an exception of a handler into an error, an error into an exception."""

from __future__ import annotations

import logging
import secrets

from farcall._codec import Faults, decode_json, encode_untyped
from farcall._connection.pending import RemoteFailure
from farcall._declare import Method
from farcall._protocol.messages import Error
from farcall.errors import (
    ApplicationError,
    ErrorCode,
    InternalError,
    InvalidArguments,
    RpcError,
)

logger = logging.getLogger("farcall")


# Into an exception


def error_of(failure: RemoteFailure, method: Method | None = None) -> Exception:
    """Make the exception for an error of the peer: a declared one, or an `RpcError`."""
    if method is not None:
        declared = method.errors.decode(failure.code, failure.message, failure.data)
        if declared is not None:
            return declared
    data = None if failure.data is None else decode_json(failure.data)
    return RpcError.of(failure.code, failure.message, data)


# Into an error


def invalid_arguments(faults: Faults) -> InvalidArguments:
    """Make the exception for arguments that are not what the contract says."""
    errors = [{"path": fault.path, "message": fault.message} for fault in faults.errors]
    return InvalidArguments(ErrorCode.INVALID_PARAMS, "Invalid params", {"errors": errors})


def describe(exc: Exception, method: Method) -> Error:
    """Say what a peer may know of a failure."""
    try:
        if isinstance(exc, ApplicationError) and method.errors.knows(exc):
            return Error(*method.errors.encode(exc))
        if isinstance(exc, RpcError):
            return _as_it_is(exc)
    except Exception as fault:  # noqa: BLE001 - a field of the wrong type, data that is no JSON
        return _as_it_is(redacted(fault, method))
    return _as_it_is(redacted(exc, method))


def _as_it_is(exc: RpcError) -> Error:
    error = Error(exc.code, exc.message, None if exc.data is None else encode_untyped(exc.data))
    error.render()
    return error


def redacted(exc: Exception, method: Method) -> InternalError:
    """Tell the peer an id, and the log everything: it may hold what is not the peer's business."""
    id = secrets.token_hex(8)
    logger.error("%s failed (id %s)", method.spec.wire_name, id, exc_info=exc)
    return InternalError(ErrorCode.INTERNAL_ERROR, "Internal error", {"id": id})
