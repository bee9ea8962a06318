"""Speaks TLS in front of the local cloud, so that curl finds it by the names of AWS.

tls_front.py CERTIFICATE KEY PORT: prints the port that it listens on, and passes everything on to PORT.
"""

import socket
import ssl
import sys
import threading


def pass_on(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def serve(plain):
    try:
        client = context.wrap_socket(plain, server_side=True)
    except OSError:
        return
    cloud = socket.create_connection(("127.0.0.1", int(port)))
    threading.Thread(target=pass_on, args=(client, cloud), daemon=True).start()
    pass_on(cloud, client)
    client.close()


certificate, key, port = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
