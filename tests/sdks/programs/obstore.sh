# object_store (Rust), by its wheel for Python: it knows no profiles
# needs: test -x "$REPOSITORY/target/programs/crt-python/bin/python3"
# ways: loopback
exec "$REPOSITORY/target/programs/crt-python/bin/python3" "$REPOSITORY/tests/sdks/programs/obstore_put.py" "$BUCKET" "$PWD/stop"
