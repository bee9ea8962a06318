# Several stories, each in a run of its own, some beside each other: one that waits for a machine leaves the processor to another.
# shellcheck shell=bash
# Sourced by tests/system/run. Uses $cache and $here.

# run_beside_each_other STORY...: the output of a story is printed when it ends. All of them are run, whether or not one fails.
run_beside_each_other() {
    local failed=0 logs
    mkdir -p "$cache"
    logs=$(mktemp -d "$cache/stories.XXXXXX")
    make_shared_roots "$@"
    printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -I '{}' "$here/one_story" '{}' "$logs" || failed=1
    # Again at the end, where a reader of a long log looks first.
    grep --with-filename 'NOT TRUE' "$logs"/* | sed "s|^$logs/||" || true
    rm -rf "$logs"
    return "$failed"
}

# Before any story: two that need the same root folder would both create it.
make_shared_roots() {
    (
        work=$(mktemp -d)
        # shellcheck source=tests/system/machine.sh
        source "$here/machine.sh"
        make_roots "$@" >/dev/null
        rmdir "$work"
    )
}
