"""The broker facestream brings up itself when it is not given one: Apache Kafka or memory."""
