"""Make the user that all services share at Kafka, or give it its password anew."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

BROKER = "127.0.0.1:9094"  # the listener ADMIN, in reach of the broker's own container alone
ITERATIONS = 8_192

user = UserScramCredentialUpsertion(
    "facestream",
    ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS),
    Path("/run/secrets/kafka_password").read_bytes().strip(),
)
admin = AdminClient({"bootstrap.servers": BROKER})
for done in admin.alter_user_scram_credentials([user], request_timeout=30).values():
    done.result()
