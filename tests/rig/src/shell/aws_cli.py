"""Runs commands of the AWS CLI for shells, each in a fork of this process, which has loaded the CLI.

The argument is a folder: the command `aws` in it connects to the socket there. The process ends with its standard input.
"""

import json
import os
import selectors
import shutil
import signal
import socket
import sys
import traceback

import awscli.clidriver
import awscli.handlers  # The CLI loads it when it is run.

# The package awscli has set it, and each command has an environment of its own.
DATA_PATH = os.environ["AWS_DATA_PATH"]
MAX_REQUEST = 1 << 17


def run(connection):
    """Runs the command of a connection in its folder, with its environment and its standard streams; sends its exit code."""
    message, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
    request = json.loads(message)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"], AWS_DATA_PATH=DATA_PATH)
    sys.argv = ["aws", *request["arguments"]]
    try:
        code = awscli.clidriver.main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code or 0]))


def main(folder):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(os.path.join(folder, "socket"))
    listener.listen(64)
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    for source in (sys.stdin, listener):
        selector.register(source, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if sys.stdin in ready:
            shutil.rmtree(folder, ignore_errors=True)
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            try:
                run(connection)
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        connection.close()


main(sys.argv[1])
