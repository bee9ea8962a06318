#!/usr/bin/env python3
"""Uploads a reading to S3 and announces it on MQTT: reading.py BUCKET

Credentials come by the profile that `gatepost setup-profile telemetry` has written; boto3 asks for fresh ones by itself.
"""

import http.client
import json
import socket
import sys
from urllib.parse import quote

import boto3

SOCKET = "/run/gatepost/gatepost.sock"


class Gatepost(http.client.HTTPConnection):
    """HTTP on gatepost's Unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def publish(topic, message):
    """Returns once the message is on the gateway's disk. From then on gatepost sends it until AWS has it."""
    connection = Gatepost("localhost")
    connection.request("POST", f"/topics/{quote(topic)}?qos=1", json.dumps(message))
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status >= 300:
        raise RuntimeError(f"gatepost answered {answer.status}: {body}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: reading.py BUCKET")
    reading = json.dumps({"temperature": 21.5})
    s3 = boto3.Session(profile_name="telemetry").client("s3")
    s3.put_object(Bucket=sys.argv[1], Key="reading.json", Body=reading)
    # gatepost replaces {thing} with the thing name.
    publish("{thing}/camera/state", {"uploaded": "reading.json"})


if __name__ == "__main__":
    main()
