//! Signatures of botocore are verified, including unusual paths and queries.
#![allow(clippy::unwrap_used, reason = "a test that cannot sign has failed")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use cloudlet::sigv4::{self, Code, Endpoint};
use cloudlet::{AccessKeys, Minted};
use hyper::Request;
use serde_json::{Value, json};

fn sign(minted: &Minted, cases: &[Value]) -> Vec<Value> {
    let task = json!({
        "access_key_id": minted.access_key_id,
        "secret_access_key": minted.secret_access_key,
        "session_token": minted.session_token,
        "cases": cases,
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sign.py");
    let mut python = Command::new(rig::command::python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(task.to_string().as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "python3 with botocore is needed: `make setup-test` installs it"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_botocore_signs_is_verified() {
    let store = AccessKeys::new();
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    let minted = store.mint("arn:aws:iam::123456789012:role/gateway", "session", expires);
    let mut cases = Vec::new();
    for (method, path, body) in [
        ("GET", "/", ""),
        ("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"),
        ("GET", "/a/b%20c/%E1%88%B4", ""),
        ("GET", "/a//b/../c/", ""),
        ("GET", "/?b=2&a=1&a=0&A=~%2F&empty=&none", ""),
        ("GET", "/x:y@z=1,2?q=%25%2B%20", ""),
        ("PUT", "/x:y@z=1,2?q=%25%2B%20", "\u{e4}\n"),
    ] {
        // botocore moves a presigned request's body into its query, so only requests without a body stay unchanged.
        for presign in [false, true].into_iter().filter(|presign| !presign || body.is_empty()) {
            cases.push(json!({
                "method": method, "url": format!("http://127.0.0.1:4566{path}"), "body": body, "presign": presign,
                "headers": {"X-Amz-Meta": "  two   words ", "My-Header": "value"},
            }));
        }
    }
    let signed = sign(&minted, &cases);
    assert_eq!(signed.len(), cases.len());

    let endpoint = Endpoint {
        service: "sts".to_owned(),
        region: Some("us-east-2".to_owned()),
    };
    for (case, signed) in cases.iter().zip(&signed) {
        let url: hyper::Uri = signed["url"].as_str().unwrap().parse().unwrap();
        let target = url.path_and_query().unwrap().as_str();
        let mut request = Request::builder().method(case["method"].as_str().unwrap()).uri(target);
        request = request.header("host", url.authority().unwrap().as_str());
        for (name, value) in signed["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        let body = case["body"].as_str().unwrap().as_bytes();
        let verify = |body: &[u8], endpoint: &Endpoint| {
            sigv4::verify(&request, body, endpoint, &store, SystemTime::now())
                .map(drop)
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(verify(body, &endpoint), Ok(()), "{case}");
        assert_eq!(
            verify(b"another", &endpoint),
            Err(Code::SignatureDoesNotMatch),
            "{case}"
        );
        let elsewhere = Endpoint {
            region: Some("eu-west-1".to_owned()),
            ..endpoint.clone()
        };
        assert_eq!(verify(body, &elsewhere), Err(Code::SignatureDoesNotMatch), "{case}");
    }
}
