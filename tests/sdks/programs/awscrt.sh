# awscrt: the CRT's own providers, in one long-running process
# needs: test -x "$REPOSITORY/target/programs/crt-python/bin/python3"
# ways: profile loopback
exec "$REPOSITORY/target/programs/crt-python/bin/python3" "$REPOSITORY/tests/sdks/programs/awscrt_put.py" "$BUCKET" "$PWD/stop"
