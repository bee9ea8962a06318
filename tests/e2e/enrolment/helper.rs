//! Enrolment by a program of the operator's, run in the same way as by gatepost-enrol@.service.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rig::{executable, wait};

use super::*;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// The equivalent of the unit's RuntimeMaxSec=.
const RUNTIME_MAX: Duration = Duration::from_secs(20);

/// A gateway with an enrolment program, in the place where the unit's script expects it.
pub struct Helped {
    pub world: World,
    pub folder: TempDir,
}

impl Helped {
    /// Creates it. `variables` are the environment of the program.
    pub fn new(variables: &[(&str, String)]) -> Self {
        let mut world = World::new();
        world.gateway.config += "[enrolment]\nmethod = \"helper\"\n";
        let folder = tempfile::tempdir().unwrap();
        let helped = Self { world, folder };
        fs::create_dir_all(helped.world.gateway.socket().parent().unwrap()).unwrap();
        let listener = UnixListener::bind(helped.world.gateway.socket().with_file_name("enrol.sock")).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let (variables, program) = (variables.collect::<Vec<_>>(), helped.program());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = OwnedFd::from(stream.unwrap());
                let unit = Command::new("prlimit")
                    .args(["--fsize=1048576", "--core=0"])
                    .arg(Path::new(REPOSITORY).join("systemd/run-enrolment-program"))
                    .arg(&program)
                    .envs(variables.iter().cloned())
                    .env("CREDENTIALS_DIRECTORY", program.parent().unwrap())
                    .stdin(stream.try_clone().unwrap())
                    .stdout(stream)
                    .stderr(File::create(program.with_extension("log")).unwrap())
                    .spawn();
                end_in_time(unit.unwrap());
            }
        });
        helped
    }

    pub fn program(&self) -> PathBuf {
        self.folder.path().join("enrol")
    }

    pub fn write_program(&self, script: &str) {
        executable::write(&self.program(), &format!("#!/bin/sh\n{script}\n")).unwrap();
    }

    /// Returns a shell script that signs the request on stdin with the fleet's CA.
    pub fn sign(&self, days: u32) -> String {
        let ca = self.world.ca.ca_pem_path();
        let (ca, key) = (ca.display(), ca.with_extension("key"));
        format!(
            "openssl x509 -req -CA {ca} -CAkey {} -set_serial $(date +%N) -sha256 -days {days} 2>/dev/null",
            key.display()
        )
    }

    /// Starts the daemon without a record of earlier attempts.
    pub fn begin(&mut self) {
        let _ = fs::remove_file(self.world.gateway.state("enrolment.json"));
        self.world.gateway.start();
    }
}

/// Waits for the program in a separate thread, and kills it if it takes too long.
fn end_in_time(mut unit: Child) {
    std::thread::spawn(move || {
        let ended = wait::until(RUNTIME_MAX, "the program", || {
            unit.try_wait().is_ok_and(|status| status.is_some())
        });
        if ended.is_err() {
            let _ = unit.kill();
            let _ = unit.wait();
        }
    });
}

#[test]
fn promise_11_a_program_of_the_operators_enrols_and_renews() {
    let mut helped = Helped::new(&[]);
    let sign = helped.sign(30);
    let purposes = helped.folder.path().join("purposes");
    helped.write_program(&format!("echo \"$GATEPOST_PURPOSE\" >>{}; {sign}", purposes.display()));
    helped.begin();
    let gateway = &helped.world.gateway;
    gateway.wait_online();
    let first = gateway.status()["session"]["certificate_id"].clone();
    let (code, said, noted) = run(&mut client(gateway, &["renew", "--wait"]));
    assert_eq!(code, 0, "{said}{noted}");
    assert_ne!(gateway.status()["session"]["certificate_id"], first);
    assert_eq!(fs::read_to_string(purposes).unwrap(), "first\nrenewal\n");
    assert_eq!(gateway.status()["identity"]["enrolment"]["method"], "helper");
    let log = gateway.log();
    assert!(!log.contains("error:"), "{log}");
}

#[test]
fn a_fault_of_an_enrolment_program_is_named_and_nothing_is_installed() {
    let mut helped = Helped::new(&[]);
    // What the unit's script makes of the end of a program. The unit tests of src/cloud/enrolment/helper_reply have every exit code and
    // every output.
    for (script, words) in [
        ("echo 3600; exit 75", "has not decided yet"),
        (
            "echo serial unknown; exit 77",
            "the CA refuses, by the enrolment program: serial unknown",
        ),
        ("echo hunter2hunter2 >&2; exit 69", "does not reach the CA"),
        ("kill -9 $$", "ended by signal 9"),
        ("head -c 5000000 /dev/zero", "ended by signal 25"),
        (
            "openssl ecparam -name prime256v1 -genkey -noout",
            "it printed a private key",
        ),
        // Its parent is killed, as systemd does if the program takes too long.
        ("kill -9 $PPID", "gave no result"),
    ] {
        helped.write_program(script);
        helped.begin();
        helped.world.gateway.wait_for("identity.problem.message", |message| {
            message.as_str().is_some_and(|message| message.contains(words))
        });
        assert!(!helped.world.gateway.state("device.pem").exists(), "{script}");
        helped.world.gateway.stop();
    }
    fs::remove_file(helped.program()).unwrap();
    helped.begin();
    helped
        .world
        .gateway
        .wait_for_words("identity.problem.message", "there is no enrolment program");
    let log = helped.world.gateway.log();
    assert!(!log.contains("hunter2") && !log.contains("PRIVATE KEY"), "{log}");
}

/// Debian's own CMP server, which returns a certificate that was issued before.
#[test]
fn the_example_of_cmp_enrols_at_another_project_s_server() {
    let port = rig::port::free_pair().unwrap();
    let variables = [
        ("CMP_SERVER", format!("127.0.0.1:{port}")),
        ("CMP_REFERENCE", "gateways".to_owned()),
    ];
    let mut helped = Helped::new(&variables);
    executable::copy(&Path::new(REPOSITORY).join("examples/enrolment/cmp"), &helped.program()).unwrap();
    fs::write(helped.folder.path().join("secret"), "hunter2\n").unwrap();
    helped.begin();
    helped.world.gateway.wait_for_words(
        "identity.problem.message",
        "does not reach the CA: no connection to 127.0.0.1",
    );
    let issued = helped.folder.path().join("issued.pem");
    let csr = helped.world.gateway.state("device.csr");
    let signed = Command::new("sh")
        .args(["-c", &helped.sign(30)])
        .stdin(File::open(csr).unwrap())
        .output()
        .unwrap();
    fs::write(&issued, signed.stdout).unwrap();
    let mut server = Command::new("openssl")
        .args(["cmp", "-srv_ref", "gateways", "-srv_secret", "pass:hunter2", "-port"])
        .arg(port.to_string())
        .arg("-rsp_cert")
        .arg(&issued)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    helped.world.gateway.stop();
    wait::until(SOON, "the CMP server", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .unwrap();
    helped.begin();
    helped.world.gateway.wait_for_text("identity.phase", "ready");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn the_example_of_curl_understands_each_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sign", listener.local_addr().unwrap());
    let mut helped = Helped::new(&[("ENROL_URL", url)]);
    executable::copy(
        &Path::new(REPOSITORY).join("examples/enrolment/rest"),
        &helped.program(),
    )
    .unwrap();
    fs::write(helped.folder.path().join("token"), "hunter2\n").unwrap();
    let sign = helped.sign(30);
    std::thread::spawn(move || {
        let statuses = ["503 Busy", "403 No", "202 Later", "200 OK"];
        for (stream, status) in listener.incoming().zip(statuses) {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            let mut chunk = [0; 4096];
            while !request.contains("END CERTIFICATE REQUEST-----") {
                let length = stream.read(&mut chunk).unwrap();
                request.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
            }
            assert!(request.contains("Authorization: Bearer hunter2\r\n"), "{request}");
            let csr = request.split("\r\n\r\n").nth(1).unwrap();
            let mut signer = Command::new("sh")
                .args(["-c", &sign])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            signer.stdin.take().unwrap().write_all(csr.as_bytes()).unwrap();
            let body = signer.wait_with_output().unwrap().stdout;
            let head = format!(
                "HTTP/1.1 {status}\r\nRetry-After: 3600\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    for words in ["answered 503", "answered 403", "has not decided yet"] {
        helped.begin();
        helped.world.gateway.wait_for_words("identity.problem.message", words);
        helped.world.gateway.stop();
    }
    helped.begin();
    helped.world.gateway.wait_for_text("identity.phase", "ready");
}
