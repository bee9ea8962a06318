//! Tokens for services outside AWS: an independent library verifies them, and each refusal of STS is reported with its next step.

use rig::command::python;
use serde_json::{Value, json};

use crate::command::{client, contains_all, run};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, World};

const VAULT: &str = "https://vault.example";
const TARGET: &str = "/v1/token?audience=https%3A%2F%2Fvault.example";

/// Verifies a token with PyJWT and the issuer's published keys, as Vault's JWT method does; prints its claims.
const VERIFIER: &str = r#"
import json, sys, jwt, urllib.request
issuer, token, audience = sys.argv[1:]
configuration = json.load(urllib.request.urlopen(issuer + "/.well-known/openid-configuration"))
key = jwt.PyJWKClient(configuration["jwks_uri"]).get_signing_key_from_jwt(token)
print(json.dumps(jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=configuration["issuer"])))
"#;

/// Creates a gateway that AWS knows, whose user may have tokens for this audience.
fn world() -> World {
    let mut world = World::new();
    let sts = world.cloud.api_endpoint();
    world
        .gateway
        .configure("[token]", &format!("sts-endpoint = \"{sts}\"\n[token]"));
    let rule = format!("role-aliases = [\"*\"]\ntokens = [\"{VAULT}\"]");
    world.gateway.configure("role-aliases = [\"*\"]", &rule);
    world
}

fn verify(world: &World, token: &str, audience: &str) -> Result<Value, String> {
    let mut verifier = std::process::Command::new(python());
    verifier.args(["-c", VERIFIER, &world.cloud.api_endpoint(), token, audience]);
    let (code, out, reason) = run(&mut verifier);
    match code {
        0 => Ok(serde_json::from_str(&out).unwrap()),
        _ => Err(reason),
    }
}

fn wait_for_token(gateway: &Gateway) {
    gateway.wait_for_text("web_tokens.0.phase", "valid");
}

#[test]
fn a_program_logs_in_outside_aws_by_a_token_that_others_can_verify() {
    let mut world = world();
    world
        .cloud
        .switches()
        .set(|switches| switches.web_identity_tokens = true);
    bring_online_registered(&mut world);
    wait_for_token(&world.gateway);
    let answer = world.gateway.get(TARGET);
    let document = answer.json().unwrap();
    assert_eq!((answer.status, &document["Audience"]), (200, &json!(VAULT)));
    let token = document["Token"].as_str().unwrap().to_owned();

    let claims = verify(&world, &token, VAULT).unwrap();
    assert_eq!(claims["sub"], "arn:aws:iam::123456789012:role/telemetry");
    let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 900, "{claims}");
    let refusal = verify(&world, &token, "https://other.example").unwrap_err();
    assert!(refusal.contains("InvalidAudienceError"), "{refusal}");

    let (code, out, reason) = run(&mut client(&world.gateway, &["token", VAULT]));
    assert_eq!((code, out.trim_end(), reason.as_str()), (0, token.as_str(), ""));
    let metrics = String::from_utf8(world.gateway.get("/metrics").body).unwrap();
    contains_all(
        &metrics,
        &["gatepost_web_token_valid{audience=\"https://vault.example\"} 1"],
    );

    // Audiences that no rule grants, and invalid ones.
    let long = "x".repeat(10 * 1024);
    for (target, status, words) in [
        (
            "/v1/token?audience=https%3A%2F%2Fother.example",
            403,
            "tokens = [\\\"https://other.example\\\"]",
        ),
        (
            "/v1/token?audience=https%3A%2F%2Fvault.example%2F",
            403,
            "https://vault.example\\\", which differs by a slash at the end",
        ),
        (
            "/v1/token?audience=https://VAULT.example",
            403,
            "differs by capital letters",
        ),
        ("/v1/token?audience=%zz", 400, "% without two hexadecimal digits"),
        ("/v1/token?audience=%2A", 403, "no rule can grant it"),
        ("/v1/token", 400, "there is no audience"),
        ("/v1/token?audience=", 400, "there is no audience"),
        ("/v1/token?audience=a&audience=b", 400, "twice"),
        (&format!("/v1/token?audience={long}"), 400, "10240 characters"),
    ] {
        let answer = world.gateway.get(target);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{body}");
        assert!(body.contains(words), "{words:?} is not in {body}");
    }
    let log = world.gateway.log();
    assert!(!log.contains(&token), "a token is not a line of the log");
    contains_all(&log, &["tokens", VAULT]);

    // After a reload, a token for another audience, and none for this one.
    world.gateway.configure(VAULT, "api");
    world.gateway.write_config();
    let (code, _, reason) = run(&mut client(&world.gateway, &["reload"]));
    assert_eq!(code, 0, "{reason}");
    world.gateway.wait_for_text("web_tokens.0.audience", "api");
    wait_for_token(&world.gateway);
    assert_eq!(world.gateway.get(TARGET).status, 403);
    assert_eq!(world.gateway.get("/v1/token?audience=api").status, 200);
}

#[test]
fn promise_16_a_missing_token_is_reported_with_the_next_step() {
    let mut world = world();
    bring_online_registered(&mut world);
    let cases: [(bool, bool, &str, &str); 2] = [
        (
            false,
            true,
            "this account issues no tokens for services outside AWS",
            "aws iam enable-outbound-web-identity-federation",
        ),
        (
            true,
            false,
            "the role of role alias telemetry may not have a token",
            "allow sts:GetWebIdentityToken",
        ),
    ];
    for (is_enabled, is_allowed, words, step) in cases {
        world.gateway.stop();
        world.cloud.switches().set(|switches| {
            switches.web_identity_tokens = is_enabled;
            switches.allow_web_identity_tokens = is_allowed;
        });
        world.gateway.start();
        world.gateway.wait_for_words("web_tokens.0.problem.message", words);
        world.gateway.wait_for_words("web_tokens.0.problem.next_step", step);
        let answer = world.gateway.get(TARGET);
        assert_eq!(answer.status, 503);
        contains_all(&String::from_utf8_lossy(&answer.body), &[words, step]);
        let status = world.gateway.status();
        assert_eq!(
            (&status["state"], &status["exit_code"]),
            (&json!("attention"), &json!(78)),
            "{status:#}"
        );
        let (code, _, reason) = run(&mut client(&world.gateway, &["token", VAULT]));
        assert_eq!(code, 69, "{reason}");
        contains_all(&reason, &[words]);
        contains_all(
            &world.gateway.log(),
            &["token for https://vault.example: failing", words],
        );
        // Credentials are not affected.
        assert_eq!(world.gateway.credentials().status, 200);
    }
}

#[test]
fn promise_8_once_federation_is_enabled_retry_brings_the_token_at_once() {
    let mut world = world();
    bring_online_registered(&mut world);
    let disabled = "this account issues no tokens";
    world.gateway.wait_for_words("web_tokens.0.problem.message", disabled);
    let retry = |words: &[&str]| run(&mut client(&world.gateway, &[&["retry"], words].concat()));
    let (code, said, noted) = retry(&["web-tokens", VAULT, "--wait"]);
    assert_eq!(code, 78, "{said}{noted}");
    contains_all(
        &said,
        &[
            "token for https://vault.example: it is requested now, not at 20",
            disabled,
        ],
    );
    world
        .cloud
        .switches()
        .set(|switches| switches.web_identity_tokens = true);
    // The next request would be minutes away.
    let (code, said, noted) = retry(&["web-tokens", "--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["token for https://vault.example: valid"]);
    assert_eq!(world.gateway.get(TARGET).status, 200);
    for (words, code, says) in [
        (&["web-tokens"][..], 0, "it is valid; name the audience"),
        (
            &["--wait"],
            0,
            "token for https://vault.example: it is valid; name the audience",
        ),
        (
            &["web-tokens", VAULT, "--wait"],
            0,
            "token for https://vault.example: valid",
        ),
        (
            &["web-tokens", "https://vault.example/"],
            66,
            "no access rule names the audience",
        ),
        (&["web-tokens", "vault", "--wait"], 66, "tokens of an [[access]] rule"),
        (&["web-tokens", ".."], 66, "no access rule names"),
        (&["web-tokens", ""], 64, "the audience is empty"),
        (&["listeners"], 0, "no listeners are configured"),
        (
            &["credentials-files", "--wait"],
            0,
            "no credentials files are configured",
        ),
        (&["web-token"], 64, "did you mean web-tokens?"),
    ] {
        let (found, said, noted) = retry(words);
        assert_eq!(found, code, "{words:?}: {said}{noted}");
        contains_all(&format!("{said}{noted}"), &[says]);
    }
}
