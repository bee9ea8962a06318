"""paho-mqtt, MQTT 3.1.1, over TCP or a Unix socket."""

import sys

import paho.mqtt.client as mqtt

address, password, client_id, topic_out, topic_in = sys.argv[1:6]
is_socket = address.startswith("/")
client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=client_id,
    clean_session=False,
    transport="unix" if is_socket else "tcp",
)
client.username_pw_set("program", password)
client.reconnect_delay_set(1, 2)
pending = {}


def on_connect(client, userdata, flags, reason, properties):
    if reason.is_failure:
        print(f"refused {reason}", flush=True)
    else:
        client.subscribe(topic_in, 1)


client.on_connect = on_connect
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.on_message = lambda client, userdata, message: print("received", message.payload.decode(), flush=True)
client.on_publish = lambda client, userdata, mid, reason, properties: print("published", pending[mid], flush=True)
if is_socket:
    client.connect(address)
else:
    host, port = address.rsplit(":", 1)
    client.connect(host, int(port))
client.loop_start()
for line in sys.stdin:
    line = line.rstrip("\n")
    pending[client.publish(topic_out, line, 1).mid] = line
client.disconnect()
client.loop_stop()
