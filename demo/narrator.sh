# The output of the demo: one line for each step, with the time since the start, and the reason if a step fails.
# shellcheck shell=bash
# Sourced by demo/run, bench/run and tests/system/run, before anything exists that a signal could leave behind.

readonly started=$EPOCHREALTIME
daemons=() # process ids, in the order in which they were started
names=()   # of the daemons
at_failure=() # functions that save evidence of a failure, before anything is ended
at_the_end=() # functions that undo what is more than a daemon or a file, the youngest last
finished=no
interrupted=no
current_step="the preparations"
step_process= # of the step that runs
work= # the folder of this run

# make_work PREFIX: creates the folder. Its name is determined before it exists, so that a signal cannot come in between.
make_work() {
    # Independent of the caller's umask: gatepost refuses a configuration that everybody may write.
    umask 022
    work="$1.$$.$RANDOM$RANDOM"
    mkdir -m 0700 "$work"
    mkdir -m 0700 "$work/log" "$work/token" "$work/fleet-ca" "$work/cloud" "$work/state" "$work/run"
}

# Whether the cursor may be moved: on a terminal that supports it, unless the reader wants plain text.
is_screen() { [[ -t 1 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; }

elapsed() {
    local micros=$((${EPOCHREALTIME/./} - ${started/./}))
    printf '[%5d.%d s]' $((micros / 1000000)) $((micros / 100000 % 10))
}

heading() { printf '\n%s\n' "$*"; }

# step TEXT COMMAND...: prints TEXT once COMMAND has succeeded, with the command's last line of output in place of "%".
step() {
    local text=$1 evidence status
    shift
    current_step=$text
    # On a terminal the step is shown while it runs, without wrapping, so that the next line can replace it.
    ! is_screen || printf '\033[?7l%s %s\033[?7h' "$(elapsed)" "${text//%/...}"
    # In the background, because a signal interrupts `wait`: while bash runs a program in the foreground, it waits for its end, and forgets
    # the Ctrl-C if the program ignored it. `if` is not used, because bash ignores -e in everything that a condition calls.
    set +e
    (set -e && "$@") >"$work/log/evidence" 2>"$work/log/step" &
    step_process=$!
    wait "$step_process"
    status=$?
    step_process=
    set -e
    evidence=$(<"$work/log/evidence")
    # A program may turn Ctrl-C into its own exit code, like the AWS CLI.
    if is_interruption "$status"; then exit "$status"; fi
    ((status == 0)) || exit 1
    ! is_screen || printf '\r\033[K'
    printf '%s %s\n' "$(elapsed)" "${text//%/${evidence##*$'\n'}}"
    current_step="what comes after: $current_step"
}

# start NAME COMMAND...: starts a daemon that logs to its own file. `finish` ends it at the end of the demo, not the signal that a terminal
# sends to all of its programs, which would prevent it from cleaning up.
start() {
    local name=$1
    shift
    apart "$@" >"$work/log/$name" 2>&1 </dev/null &
    daemons+=($!)
    names+=("$name")
}

# In a separate session: ignoring the signals would not work, because gatepostd and mosquitto set handlers for them.
apart() {
    if [[ $(type -t "$1") != function ]]; then exec setsid "$@"; fi
    trap '' HUP INT
    "$@"
}

# within SECONDS COMMAND...: waits until COMMAND succeeds, and gives up early when a daemon has ended.
within() {
    local seconds=$1 deadline=$((SECONDS + $1)) i
    shift
    until "$@"; do
        for i in "${!daemons[@]}"; do
            kill -0 "${daemons[i]}" 2>/dev/null || give_up "${names[i]} has ended by itself" || return 1
        done
        ((SECONDS < deadline)) || give_up "waited $seconds s in vain for: $*" || return 1
        sleep 0.1
    done
}

give_up() {
    echo "$1" >&2
    return 1
}

# is_interruption STATUS: whether the status means SIGHUP, SIGINT or SIGTERM.
is_interruption() { [[ $1 == 129 || $1 == 130 || $1 == 143 ]]; }

# Every exit of the script calls this: success, a failed step, Ctrl-C, or a closed terminal.
finish() {
    local status=$? i
    # A signal may reach a subshell before it has dropped the traps of its parent, which alone cleans up.
    ((BASHPID == $$)) || exit "$status"
    trap - EXIT
    trap '' HUP INT TERM
    # The reader may have gone, but the end must be reached nevertheless.
    set +e
    if [[ $finished == yes && -n ${KEEP:-} ]]; then
        exit 0
    fi
    if [[ $finished == no && $interrupted == no ]] && ! is_interruption "$status"; then
        show_failure >&2
        for ((i = 0; i < ${#at_failure[@]}; i++)); do
            "${at_failure[i]}" || true
        done
        keep_folder=yes
    fi
    [[ -z $step_process ]] || end_tree "$step_process"
    stop_daemons
    for ((i = ${#at_the_end[@]} - 1; i >= 0; i--)); do
        "${at_the_end[i]}" || true
    done
    [[ -n ${keep_folder:-} || -z $work ]] || rm -rf -- "$work"
    exit "$status"
}

# end_tree PID: ends the process and its descendants.
end_tree() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        end_tree "$child"
    done
    kill "$1" 2>/dev/null || true
}

show_failure() {
    ! is_screen || printf '\n'
    printf '\n%s NOT TRUE: %s\n' "$(elapsed)" "${current_step//%/...}"
    if [[ -n $work && -s $work/log/step ]]; then
        printf 'What the step said:\n'
        tail -n 20 "$work/log/step"
    fi
    local name
    for name in "${names[@]}"; do
        printf '\nThe end of the log of %s:\n' "$name"
        tail -n 20 "$work/log/$name"
    done
    [[ -z $work ]] || printf '\nEverything is in %s for you to look at; nothing is left running.\n' "$work"
}

# The youngest first: gatepostd disconnects from a cloudlet that still listens.
stop_daemons() {
    local i
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        stop_daemon "${daemons[i]}"
    done
}

# forget NAME: removes a daemon from the list after it was ended on purpose.
forget() {
    local i
    for i in "${!names[@]}"; do
        [[ ${names[i]} != "$1" ]] || unset 'names[i]' 'daemons[i]'
    done
    names=("${names[@]}")
    daemons=("${daemons[@]}")
}

stop_daemon() {
    local pid=$1 tenth
    kill "$pid" 2>/dev/null || return 0
    for ((tenth = 0; tenth < 60; tenth++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

trap finish EXIT
trap 'interrupted=yes; exit 129' HUP
trap 'interrupted=yes; exit 130' INT
trap 'interrupted=yes; exit 143' TERM
