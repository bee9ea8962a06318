//! The real AWS CLI asks the STS of the cloudlet who it is.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot start its server or the AWS CLI has failed"
)]

use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloudlet::sessions::{Minted, SessionStore};
use cloudlet::sts::{self, StsEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/fleet/gateway-telemetry";

struct Sts {
    store: SessionStore,
    address: String,
    events: Arc<Mutex<Vec<StsEvent>>>,
}

impl Sts {
    async fn start() -> Self {
        let (store, events) = (SessionStore::new(), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::clone(&events);
        let on_event = Arc::new(move |event| seen.lock().unwrap().push(event));
        tokio::spawn(sts::serve(listener, store.clone(), ACCOUNT.to_owned(), on_event));
        Self { store, address, events }
    }

    fn mint(&self) -> Minted {
        self.store
            .mint(ROLE, "gw-1", SystemTime::now() + Duration::from_secs(3_600))
    }

    async fn get_caller_identity(&self, credentials: &Minted) -> Output {
        Command::new("aws")
            .args(["sts", "get-caller-identity", "--output", "json", "--endpoint-url"])
            .arg(format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
            .env("AWS_SESSION_TOKEN", &credentials.session_token)
            .env("AWS_DEFAULT_REGION", "us-east-2")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env_remove("AWS_PROFILE")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .await
            .unwrap()
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn events(&self) -> Vec<StsEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_learns_who_it_is() {
    let sts = Sts::start().await;
    let minted = sts.mint();
    let output = sts.get_caller_identity(&minted).await;
    assert!(output.status.success(), "{output:?}");
    let identity: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let arn = "arn:aws:sts::123456789012:assumed-role/gateway-telemetry/gw-1";
    assert_eq!(identity["Arn"], arn);
    assert_eq!(identity["Account"], ACCOUNT);
    let user_id = identity["UserId"].as_str().unwrap();
    assert!(user_id.starts_with("AROA") && user_id.len() == 21 + ":gw-1".len() && user_id.ends_with(":gw-1"));
    let identified = StsEvent::Identified {
        access_key_id: minted.access_key_id,
        arn: arn.to_owned(),
    };
    assert_eq!(sts.events(), [identified]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_learns_why_it_is_refused() {
    let sts = Sts::start().await;
    let good = sts.mint();
    let expired = sts.store.mint(ROLE, "gw-1", SystemTime::now());
    for (credentials, code) in [
        (
            Minted {
                secret_access_key: "x".repeat(40),
                ..good.clone()
            },
            "SignatureDoesNotMatch",
        ),
        (
            Minted {
                session_token: sts.mint().session_token,
                ..good.clone()
            },
            "InvalidClientTokenId",
        ),
        (
            Minted {
                access_key_id: "ASIANEVERISSUED00000".to_owned(),
                ..good.clone()
            },
            "InvalidClientTokenId",
        ),
        (expired, "ExpiredToken"),
    ] {
        let output = sts.get_caller_identity(&credentials).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(&format!("An error occurred ({code})")),
            "{code}: {said}"
        );
        let [
            StsEvent::Refused {
                access_key_id,
                code: told,
                ..
            },
        ] = &sts.events()[..]
        else {
            panic!("one event")
        };
        assert_eq!(
            (access_key_id.as_deref(), *told),
            (Some(credentials.access_key_id.as_str()), code)
        );
    }
}

#[tokio::test]
async fn unsigned_and_unknown_requests_get_the_errors_of_aws() {
    let sts = Sts::start().await;
    let operation = "Action=GetCallerIdentity&Version=2011-06-15";
    for (method, target, body, status, code) in [
        ("GET", format!("/?{operation}"), "", 403, "MissingAuthenticationToken"),
        ("POST", "/".to_owned(), operation, 403, "MissingAuthenticationToken"),
        ("GET", "/".to_owned(), "", 400, "MissingAction"),
        ("GET", "/?Action=GetCallerIdentity".to_owned(), "", 400, "InvalidAction"),
        (
            "GET",
            "/?Action=%3Cb%3E&Version=2011-06-15".to_owned(),
            "",
            400,
            "InvalidAction",
        ),
        ("DELETE", format!("/?{operation}"), "", 405, "InvalidAction"),
        (
            "POST",
            "/".to_owned(),
            &"x".repeat(100_000),
            413,
            "RequestEntityTooLarge",
        ),
    ] {
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let answer = sts.ask(&format!("{head}{body}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            answer.contains(&format!("<Code>{code}</Code>")) && answer.contains("<RequestId>"),
            "{answer}"
        );
        assert!(!answer.contains("<b>"), "what the caller wrote is escaped: {answer}");
        assert!(matches!(&sts.events()[..], [StsEvent::Refused { code: told, .. }] if *told == code));
    }
}
