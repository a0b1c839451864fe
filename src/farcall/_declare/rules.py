"""The rules of declaring a service, each with the number that its error carries.

A number never changes its rule, because people search for it. ``docs/declaring-errors.md`` shows
each rule; it is generated from the bad examples in ``tests/declarations``.
"""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """A rule that a declaration breaks: FC1xx are mistakes, FC2xx are planned features."""

    MISSING_ANNOTATION = "FC101"
    UNRESOLVED_ANNOTATION = "FC102"
    UNSUPPORTED_TYPE = "FC103"
    VARIADIC = "FC104"
    GENERATOR = "FC105"
    NO_SELF = "FC106"
    BAD_DEFAULT = "FC107"
    NO_FUNCTION = "FC108"
    BAD_NAME = "FC109"
    TAKEN_NAME = "FC110"
    BAD_ERROR = "FC111"
    ONEWAY_ANSWERS = "FC112"
    BAD_BACKGROUND = "FC113"
    PRIVATE_MEMBER = "FC114"
    CONFLICTING_MARKS = "FC115"
    LOST_MEMBER = "FC116"
    CHANGED_MEMBER = "FC117"
    THREAD_OF_ASYNC = "FC118"
    BAD_TASK_STATUS = "FC119"
    PRIVATE_FIELD = "FC120"

    SIGNAL_IS_FIELD = "FC121"
    SIGNAL_WITHOUT_TYPE = "FC122"
    SIGNAL_WITHOUT_VALUE = "FC123"
    BAD_KEY = "FC124"

    NO_CLASS = "FC131"
    NO_MEMBERS = "FC132"
    NO_SERVICE = "FC133"
    REPLACED_CLASS = "FC134"
    SERVED_TWICE = "FC135"
    SERVICE_IS_CONTAINER = "FC136"
    NO_PYTHON_NAME = "FC137"

    BAD_ROLES = "FC141"
    ROLES_IN_THE_OPEN = "FC142"
    PROTECTED_BROADCAST = "FC143"
    BAD_ALLOW = "FC144"

    NO_STREAM = "FC151"
    STREAM_OPTION = "FC152"
    NO_ITEM_TYPE = "FC153"
    UPLOAD_DEFAULT = "FC154"
    ONEWAY_UPLOAD = "FC155"
    UPLOAD_TO_DEF = "FC156"

    BAD_REGISTRATION = "FC161"

    IDEMPOTENT_LATER = "FC205"
    HISTORY_LATER = "FC206"
    CONSTRAINT_LATER = "FC207"
