"""What an error of Kafka's says about whose fault it is, where librdkafka leaves that open."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message

from services.errors import BrokerError, RecordError

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_RECORD = _TOO_LARGE | {KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP}
_FOR_GOOD = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
    KafkaError._AUTHENTICATION,
}


def is_for_good(error: KafkaError) -> bool:
    """Whether no later try can succeed before a person changes something."""
    return error.code() in _FOR_GOOD


class Deliveries:
    """Collects what became of the records of one batch; call it as their delivery report."""

    def __init__(self) -> None:
        self._errors: list[tuple[str, KafkaError]] = []

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        """Take one report."""
        if error is not None:
            self.add(error, message.topic() or "a topic")

    def add(self, error: KafkaError, topic: str) -> None:
        """Take an error that came without a report."""
        self._errors.append((topic, error))

    @property
    def failed(self) -> str:
        """The first failure in words; empty when there is none."""
        return next((f"{topic}: {error.str()}" for topic, error in self._errors), "")

    def raise_refusals(self) -> None:
        """Say so where Kafka will not take a record however often it is sent.

        Raises:
            BrokerError: because of who sends it.
            RecordError: because of the record: `too-large`, `refused`.
        """
        for topic, error in self._errors:
            if error.fatal() or is_for_good(error):
                raise BrokerError(f"topic {topic}: {error.str()}")
            if error.code() in _RECORD:
                reason = "too-large" if error.code() in _TOO_LARGE else "refused"
                raise RecordError(reason, f"topic {topic}: {error.str()}")
