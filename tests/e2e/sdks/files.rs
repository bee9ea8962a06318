//! Debian's versions of programs that read their keys from a file, while the file is replaced three times.

use std::fs;

use cloudlet::Event;
use rig::process::Process;
use rig::{command, user};

use super::{Machine, PATIENCE, REPOSITORY};

/// As in the other tests of rotations: credentials are handed out for 20 s, and replaced before that.
const LIFETIME: i64 = 80;
const SETS: usize = 4;

/// The programs: the name, which is also the name of the bucket, and what each does until the file `stop` exists.
const PROGRAMS: [(&str, &str); 5] = [
    (
        "s3cmd",
        r#"printf '[default]\nhost_base = %s\nhost_bucket = %s\nuse_https = False\n' $host $host >s3cfg
        while [ ! -e stop ]; do
            (set -a && . $files-telemetry.env && s3cmd --config s3cfg --quiet put reading.json s3://s3cmd/reading.json)
            sleep 1
        done"#,
    ),
    (
        "gdal",
        r#"printf 'ncols 1\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n7\n' >grid.asc
        export CPL_AWS_CREDENTIALS_FILE=$files-telemetry.aws CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE=YES
        export AWS_REGION=us-east-2 AWS_S3_ENDPOINT=$host AWS_HTTPS=NO AWS_VIRTUAL_HOSTING=FALSE
        while [ ! -e stop ]; do
            gdal_translate -q grid.asc /vsis3/gdal/grid.tif
            gdalinfo /vsis3/gdal/grid.tif | grep -q '^Size is 1, 1'
            sleep 1
        done"#,
    ),
    (
        "s3fs",
        r#"mkdir mnt
        while [ ! -e stop ]; do
            (set -a && . $files-telemetry.env
            s3fs s3fs mnt -o use_session_token -o url=$AWS_ENDPOINT_URL -o endpoint=us-east-2 -o use_path_request_style)
            cp reading.json mnt/reading.json
            cmp reading.json mnt/reading.json
            fusermount -u mnt
            sleep 1
        done"#,
    ),
    (
        "pgbackrest",
        r#"name=s3.us-east-2.amazonaws.com
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=aws \
            -addext subjectAltName=DNS:$name,DNS:127.0.0.1 -keyout s3.key -out s3.pem 2>/dev/null
        coproc python3 $tls_front s3.pem s3.key ${host#*:}
        read -r port <&${COPROC[0]}
        while [ ! -e stop ]; do
            (. $files-telemetry.env
            export PGBACKREST_REPO1_S3_KEY=$AWS_ACCESS_KEY_ID PGBACKREST_REPO1_S3_KEY_SECRET=$AWS_SECRET_ACCESS_KEY
            export PGBACKREST_REPO1_S3_TOKEN=$AWS_SESSION_TOKEN
            pgbackrest --log-path=$PWD --log-level-console=warn --repo1-type=s3 --repo1-s3-bucket=pgbackrest \
                --repo1-s3-region=us-east-2 --repo1-s3-endpoint=$name --repo1-s3-uri-style=path --repo1-path=/ \
                --repo1-storage-host=127.0.0.1 --repo1-storage-port=$port --repo1-storage-ca-file=s3.pem repo-ls)
            sleep 1
        done
        kill $COPROC_PID"#,
    ),
    ("kvssink", "python3 kvssink.py $files-telemetry.kvssink kvssink stop"),
];

#[test]
fn programs_that_read_a_file_cross_three_rotations() {
    if !user::is_root() {
        eprintln!("NOT TESTED: programs that read a file, because only root may mount s3fs in a namespace of its own");
        return;
    }
    for program in ["s3cmd", "gdal_translate", "s3fs", "pgbackrest"] {
        let found = command::run(
            command::command("sh").args(["-c", &format!("command -v {program}")]),
            "sh",
        );
        assert!(found.is_ok(), "{program} is missing: run `make setup-test`");
    }
    let machine = Machine::with(LIFETIME, |gateway| {
        for format in ["aws", "env", "kvssink"] {
            let entry = format!(
                "\n[[credentials-file]]\nrole-alias = \"telemetry\"\nowner = \"root\"\nformat = \"{format}\"\n"
            );
            gateway.config.push_str(&entry);
        }
    });
    machine
        .world
        .gateway
        .wait_for_text("credentials_files.phase", "written");
    fs::write(machine.file("reading.json"), "{\"temperature\": 21.5}\n").unwrap();
    fs::copy(
        format!("{REPOSITORY}/tests/sdks/kvssink.py"),
        machine.file("kvssink.py"),
    )
    .unwrap();
    let setting = format!(
        "files=/run/gatepost/files/root\nhost=${{AWS_ENDPOINT_URL#http://}}\ntls_front={REPOSITORY}/tests/sdks/tls_front.py\n"
    );
    let start = |(bucket, script): (&str, &str)| {
        let mut bash = machine.bash(&format!("{setting}{script}"));
        (bucket.to_owned(), Process::spawn(&mut bash, "util-linux").unwrap())
    };
    let mut running = PROGRAMS.map(start);
    machine.run_until(SETS, PATIENCE, &mut running);
    for (bucket, mut program) in running {
        let status = program.wait(PATIENCE).unwrap();
        assert!(status.success(), "{bucket}: {status}\n{}", program.log());
        let sets = machine.access_keys(&bucket);
        assert!(sets.len() >= SETS, "{bucket}: {sets:?}");
    }
    // s3fs looks for objects that do not exist yet.
    let mut refusals = machine.refusals();
    refusals.retain(|refusal| !matches!(refusal, Event::CallerRefused { code, .. } if code == "NoSuchKey"));
    assert_eq!(refusals, [], "a call was signed with what was no good");
}
