"""x"""

from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka import Producer


def test_x(broker, topic_prefix):
    p = Producer({"bootstrap.servers": broker})
    a = AdminClient({"bootstrap.servers": broker})
    if "memory" not in topic_prefix:
        try:
            a.create_topics([NewTopic(topic_prefix + "x", 4, 1)])[topic_prefix + "x"].result()
        except Exception as e:
            print(repr(e))
    p.produce(topic_prefix + "x", b"y")
    assert p.flush(10) == 0


def test_3(kafka_cluster):
    print(kafka_cluster(nodes=3).explain)
