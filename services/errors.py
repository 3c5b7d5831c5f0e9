"""Every error facestream raises, in one tree that says what is at fault.

FacestreamError
├── RecordError        the record: dead-letter it and go on
├── RetriableError     the operation: back off and try again
│   └── BrokerUnavailable
└── FatalError         the process: one line on stderr, exit non-zero
    ├── SettingsError
    ├── SourceError
    ├── ModelError
    ├── BrokerError
    └── GalleryError

A reference photo that cannot be enrolled is not a process's fault either: the
identifier raises its own `EnrolmentError`, a RecordError, and answers 4xx.
"""

from __future__ import annotations


class FacestreamError(Exception):
    """Root of the tree; its text is one sentence a user can act on.

    Attributes:
        why: the reason in the words of whoever gave it, as Kafka's client does; empty for none.
    """

    def __init__(self, message: str = "", why: str = "") -> None:
        super().__init__(message)
        self.why = why


class RecordError(FacestreamError):
    """One record cannot be decoded or processed.

    Attributes:
        reason: a short kebab-case word for metrics and the `dlq-reason` header.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RetriableError(FacestreamError):
    """An operation failed in a way that a later try may not."""


class BrokerUnavailable(RetriableError):  # noqa: N818 - a state, as Kafka names them
    """No broker answered in the time given."""


class FatalError(FacestreamError):
    """The process cannot go on; its exit status is non-zero."""

    exit_code = 1


class SettingsError(FatalError):
    """A setting is missing or out of its range."""

    exit_code = 2


class SourceError(FatalError):
    """A frame source cannot be opened or decoded."""


class ModelError(FatalError):
    """A model pack, model file or execution device is missing or wrong."""


class BrokerError(FatalError):
    """The broker refused for good: fenced, unauthorised, misconfigured."""


class GalleryError(FatalError):
    """The gallery's database cannot be used."""
