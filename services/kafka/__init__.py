"""Kafka: clients, topics, dead letters and the consume-process-produce loop."""
