"""aiomqtt, MQTT 5, over TCP. Its users reconnect in a loop, as its documentation says."""

import asyncio
import sys

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

address, password, client_id, topic_out, topic_in = sys.argv[1:6]
host, port = address.rsplit(":", 1)
properties = Properties(PacketTypes.CONNECT)
properties.SessionExpiryInterval = 3600


async def receive(client):
    await client.subscribe(topic_in, qos=1)
    print("subscribed", flush=True)
    async for message in client.messages:
        print("received", message.payload.decode(), flush=True)


async def send(client, lines):
    while (line := await lines.get()) is not None:
        try:
            await client.publish(topic_out, line, qos=1)
        except aiomqtt.MqttError:
            # The message is sent again on the next connection.
            lines._queue.appendleft(line)
            raise
        print("published", line, flush=True)


async def main():
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))
        loop.call_soon_threadsafe(lines.put_nowait, None)

    loop.run_in_executor(None, read)
    while True:
        try:
            async with aiomqtt.Client(
                host,
                int(port),
                username="program",
                password=password,
                identifier=client_id,
                protocol=aiomqtt.ProtocolVersion.V5,
                clean_start=False,
                properties=properties,
            ) as client:
                receiving = asyncio.create_task(receive(client))
                sending = asyncio.create_task(send(client, lines))
                done, _ = await asyncio.wait([receiving, sending], return_when=asyncio.FIRST_COMPLETED)
                receiving.cancel()
                if sending in done and sending.exception() is None:
                    return
                sending.cancel()
                for task in done:
                    task.result()
        except aiomqtt.MqttError:
            await asyncio.sleep(1)


asyncio.run(main())
