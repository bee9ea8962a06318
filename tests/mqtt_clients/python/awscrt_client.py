"""The MQTT 5 client of the AWS Common Runtime, without TLS, over TCP."""

import sys
import threading

from awscrt import io, mqtt5

address, password, client_id, topic_out, topic_in = sys.argv[1:6]
host, port = address.rsplit(":", 1)
stopped = threading.Event()


def on_success(data):
    subscribe = mqtt5.SubscribePacket([mqtt5.Subscription(topic_in, mqtt5.QoS.AT_LEAST_ONCE)])
    client.subscribe(subscribe).add_done_callback(lambda _: print("subscribed", flush=True))


def on_message(data):
    print("received", data.publish_packet.payload.decode(), flush=True)


client = mqtt5.Client(
    mqtt5.ClientOptions(
        host_name=host,
        port=int(port),
        bootstrap=io.ClientBootstrap.get_or_create_static_default(),
        connect_options=mqtt5.ConnectPacket(
            client_id=client_id,
            username="program",
            password=password,
            keep_alive_interval_sec=60,
            session_expiry_interval_sec=3600,
        ),
        session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
        min_reconnect_delay_ms=1000,
        max_reconnect_delay_ms=2000,
        on_publish_callback_fn=on_message,
        on_lifecycle_event_connection_success_fn=on_success,
        on_lifecycle_event_stopped_fn=lambda _: stopped.set(),
    )
)
client.start()
for line in sys.stdin:
    line = line.rstrip("\n")
    packet = mqtt5.PublishPacket(topic=topic_out, payload=line, qos=mqtt5.QoS.AT_LEAST_ONCE)
    client.publish(packet).add_done_callback(lambda _, line=line: print("published", line, flush=True))
client.stop()
stopped.wait(5)
