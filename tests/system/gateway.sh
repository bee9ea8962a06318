# The administrator's actions on the gateway, and their effects on its programs.
# shellcheck shell=bash
# Sourced by tests/system/run.

reaches_the_cloud() {
    local api=${AWS_ENDPOINT_URL#http://}
    within 10 in_shell "exec 3<>/dev/tcp/${api%:*}/${api#*:}"
    inside ip -brief route
}

# little_exposure TENTHS: checks that the score of systemd-analyze security is at most TENTHS (docs/decisions/0011 explains it).
little_exposure() {
    inside systemd-analyze verify --man=no gatepost.service gatepost.socket gatepost-tpm-{arrived,setup}.service gatepost-pin.socket gatepost-pin@1.service \
        gatepost-enrol.socket gatepost-enrol@1.service
    inside systemd-analyze security --no-pager --threshold="$1" gatepost.service | tail -n 1
}

# The account that the configuration names, as an application's package creates it.
make_program_account() {
    inside useradd --system --shell /usr/sbin/nologin camera
    inside id camera
}

# The set-up from docs/install.md for a trial without a TPM.
make_softhsm_token() {
    make_program_account >&2
    in_shell "
        install -d -o gatepost -g gatepost -m 0700 /var/lib/gatepost/softhsm
        echo 'directories.tokendir = /var/lib/gatepost/softhsm' >/etc/gatepost/softhsm2.conf
        mkdir -p /etc/systemd/system/gatepost.service.d /etc/credstore.encrypted
        printf '[Service]\nEnvironment=SOFTHSM2_CONF=/etc/gatepost/softhsm2.conf\n' \
            >/etc/systemd/system/gatepost.service.d/softhsm.conf
        systemctl daemon-reload
        setpriv --reuid gatepost --regid gatepost --clear-groups env SOFTHSM2_CONF=/etc/gatepost/softhsm2.conf \
            softhsm2-util --init-token --free --label gateway --so-pin 13579111 --pin '$pin' >/dev/null"
    set_pin "$pin"
    in_shell 'stat -c "%a %n" /etc/credstore.encrypted/gatepost.pin'
}

set_pin() {
    in_shell "printf %s '$1' | systemd-creds encrypt --name=pin - /etc/credstore.encrypted/gatepost.pin 2>/dev/null"
}

# configuration [TOKEN-LINES]: without them, the token's are in a separate file.
configuration() {
    cat <<TOML
[aws]
mqtt-endpoint        = "$MQTT_ENDPOINT"
credentials-endpoint = "$CREDENTIALS_ENDPOINT"
root-ca              = "/etc/gatepost/root-ca.pem"

${1-}

[identity]
ca-chain = "/etc/gatepost/fleet-ca.pem"
subject  = { common-name = "$release-{machine-id}", country = "IN", organization = "Example" }

[[role-alias]]
name = "telemetry"

[[access]]
user         = "root"
role-aliases = ["*"]

[[access]]
user         = "camera"
role-aliases = ["telemetry"]

[[access]]
unit         = "meter.service"
role-aliases = ["telemetry"]

[[access]]
unit         = "copyist.service"
role-aliases = ["telemetry"]

[[credentials-file]]
role-alias = "telemetry"
owner      = "camera"
format     = "aws"

[loopback]
listen = "127.0.0.1:9922"
TOML
}

readonly softhsm='[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
key    = "pkcs11:token=gateway;object=device"'
# configure [TOKEN-LINES]
configure() {
    in_shell 'cat >/etc/gatepost/root-ca.pem' <"$ROOT_CA"
    in_shell 'cat >/etc/gatepost/fleet-ca.pem' <"$fleet_ca"
    configuration "$@" | in_shell 'cat >/etc/gatepost/gatepost.toml'
}
configure_and_enable() {
    configure "$@"
    inside systemctl enable --quiet --now gatepost
    units_are enabled active
}

# status FIELD: prints a field of the status document, such as session.phase.
status() {
    # The exit code says whether everything works; here only the document matters.
    { inside gatepost status --json 2>/dev/null || true; } | python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[name]
print(value)' "$1" 2>/dev/null
}

status_becomes() { within 90 status_equals "$1" "$2"; }
# says FIELD TEXT: the value is kept in a file, because it may have changed at the next query.
says() { status "$1" >"$work/said" && grep -qF "$2" "$work/said"; }
status_equals() { [[ $(status "$1") == "$2" ]]; }

# Not the state, which mentions a few outages for an hour.
is_ready() {
    status_becomes working True || {
        inside gatepost status >&2 || true
        inside journalctl --quiet --unit gatepost --lines 20 --output cat >&2
        return 1
    }
    echo "online as $(status identity.thing_name)"
}

# The signed request goes to the local AWS.
check_is_good() {
    within_unit --setenv=AWS_ENDPOINT_URL="$AWS_ENDPOINT_URL" --setenv=AWS_REGION=us-east-1 -- gatepost check >"$work/check" || {
        cat "$work/check" >&2
        return 1
    }
    grep -c '^ok' "$work/check" | sed 's/$/ lines, each of them ok/'
}

# The journal would report anything that the system call filter, the folders' modes or another part of the unit prevents.
complains_of_nothing() {
    inside journalctl --quiet --boot --unit gatepost --identifier gatepostd --priority warning --output cat |
        grep -v '^Configuration.cpp(' >"$work/warnings" || true # SoftHSM's
    [[ ! -s $work/warnings ]] || give_up "gatepostd complains: $(cat "$work/warnings")"
    in_shell "journalctl --quiet --boot --unit gatepost --identifier gatepostd --output cat | wc -l" | sed 's/$/ lines, no warning/'
}

status_line() { inside systemctl show --property=StatusText --value gatepost | grep .; }

is_a_set() { grep -q '"SecretAccessKey"' && echo "a set of credentials"; }

user_gets_credentials() { as_user camera gatepost credentials telemetry | is_a_set; }

stranger_is_refused() {
    must_fail as_user nobody gatepost credentials telemetry 2>"$work/refusal" >&2
    grep -o 'no \[\[access\]\].*\|\[\[access\]\].*' "$work/refusal" | head -n 1
}

unit_gets_credentials() {
    within_unit --unit=meter --property=DynamicUser=yes -- gatepost credentials telemetry | is_a_set
}

# A program that opens a connection for each request, as fast as it can, and records how each ended. Its credentials file must never be
# missing, either.
start_asking() {
    within_unit --unit=asking --uid=camera -- bash -c '
        while :; do
            gatepost credentials telemetry >/dev/null 2>/tmp/asking.error && cat '"$credentials_file"' >/dev/null 2>/tmp/asking.error &&
                echo ok || cat /tmp/asking.error
        done' >"$work/asked" 2>&1 &
    asking=$!
    : >>"$work/asked"
    within 10 grep -q ok "$work/asked"
}

# A service that has a copy of its token from systemd, and sends requests with it all the time.
start_copyist() {
    within_unit --unit=copyist --property=DynamicUser=yes \
        --property=LoadCredential=gatepost:/run/gatepost/loopback/unit-copyist.service -- bash -c '
        while :; do
            curl --silent --output /dev/null --write-out "%{http_code}\n" --max-time 5 \
                --header "Authorization: $(cat "$CREDENTIALS_DIRECTORY/gatepost")" \
                http://127.0.0.1:9922/v1/credentials/telemetry || true
            sleep 0.05
        done' >"$work/copyist" 2>&1 &
    copyist=$!
    : >>"$work/copyist"
    within 10 grep -q '^200$' "$work/copyist"
}

# A connection that is cut by a kill results in 000: the program repeats the request. A token that has become invalid results in 401.
copy_still_opens() {
    local before
    before=$(grep -c '^200$' "$work/copyist")
    within 10 copied_more_than $((before + 20))
    inside systemctl stop copyist.service
    wait "$copyist" || true
    must_fail grep -Ev '^(200|000)$' "$work/copyist" >&2
    echo "$(grep -c '^200$' "$work/copyist") answers, none refused, $(grep -c '^000$' "$work/copyist" || true) cut by a kill"
}
copied_more_than() { (($(grep -c '^200$' "$work/copyist") > $1)); }

# The set-up from docs/configuration.md: a token that survives a reboot, for a service that has a copy of it.
give_own_token() {
    in_shell '
        printf %s 0123456789abcdef0123456789ABCDEF >/etc/gatepost/keeper.token
        chown root:gatepost /etc/gatepost/keeper.token && chmod 0640 /etc/gatepost/keeper.token
        printf "[[access]]\nunit = \"keeper.service\"\nrole-aliases = [\"telemetry\"]\ntoken-file = \"/etc/gatepost/keeper.token\"\n" \
            >/etc/gatepost/conf.d/60-keeper.toml
        systemctl reload gatepost'
    own_token_opens >&2
}
own_token_opens() {
    within 20 in_shell 'curl --silent --fail --header "Authorization: 0123456789abcdef0123456789ABCDEF" \
        http://127.0.0.1:9922/v1/credentials/telemetry >/dev/null'
    within_unit --unit=keeper --property=DynamicUser=yes --property=LoadCredential=gatepost:/etc/gatepost/keeper.token -- bash -c '
        curl --silent --fail --header "Authorization: $(cat "$CREDENTIALS_DIRECTORY/gatepost")" \
            http://127.0.0.1:9922/v1/credentials/telemetry' | is_a_set
}

stop_asking() {
    inside systemctl stop asking.service
    wait "$asking" || true
}

# nobody_noticed COMMAND...: asserts that no request fails while COMMAND runs.
nobody_noticed() {
    local before after failed old
    old=$(main_process)
    before=$(wc -l <"$work/asked")
    "$@" >&2
    within 30 is_restarted "$old"
    after=$(wc -l <"$work/asked")
    within 10 asked_more_than $((after + 100))
    failed=$(tail -n "+$((before + 1))" "$work/asked" | grep -vc '^ok$' || true)
    [[ $failed == 0 ]] || give_up "$failed requests failed, such as: $(tail -n "+$((before + 1))" "$work/asked" | grep -v '^ok$' | head -n 1)"
    echo "$(($(wc -l <"$work/asked") - before)) requests, none failed"
}

asked_more_than() { (($(wc -l <"$work/asked") > $1)); }
main_process() { inside systemctl show --property=MainPID --value gatepost; }
# is_restarted OLD: gatepost is active with another main process than OLD.
is_restarted() {
    local now
    now=$(main_process)
    [[ $now != 0 && $now != "$1" ]] && inside systemctl is-active --quiet gatepost
}

restart_it() { inside systemctl restart gatepost; }
kill_it() { inside systemctl kill --signal=KILL gatepost; }

# So many crashes that systemd's own backoff would be longer than programs wait, after runs that had started successfully.
kill_it_again() {
    local time
    for time in {1..4}; do
        within 20 has_run_for_a_while
        nobody_noticed kill_it >&2
    done
    echo "$time times"
}
has_run_for_a_while() {
    in_shell '(($(cut -d . -f 1 /proc/uptime) - $(systemctl show --property=ExecMainStartTimestampMonotonic --value gatepost) / 1000000 > 6))'
}

# It hangs, a fault that no exit code reports.
watchdog_restarts() {
    local old drop_in=/run/systemd/system/gatepost.service.d/patience.conf
    in_shell "mkdir -p ${drop_in%/*} && printf '[Service]\nWatchdogSec=4s\n' >$drop_in
        systemctl daemon-reload && systemctl restart gatepost"
    is_ready >&2
    old=$(main_process)
    inside systemctl kill --signal=STOP --kill-whom=main gatepost
    within 60 is_restarted "$old"
    is_ready >&2
    in_shell "rm $drop_in && systemctl daemon-reload && systemctl restart gatepost"
    inside journalctl --quiet --boot --unit gatepost --output cat --grep 'Watchdog timeout' | tail -n 1
}

still_configured() {
    diff <(configuration "$softhsm") <(inside cat /etc/gatepost/gatepost.toml) >&2
    is_ready
}

# With another host name, which the administrator may change: the gateway stays the same thing.
reboot_and_ready() {
    local before after
    before=$(is_ready)
    in_shell 'echo renamed >/etc/hostname'
    reboot_machine >&2
    [[ $(inside uname --nodename) == renamed ]]
    after=$(is_ready)
    [[ $after == "$before" ]] || give_up "it was $before, and is $after"
    echo "$after"
}

machine_ends() {
    no_unit_failed
    stop_machine
    echo "it is off"
}
