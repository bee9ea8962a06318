//! Tests that the stored configuration is the one that was in use, that a damaged, foreign or too old file is refused, and that
//! access rights are never widened.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use super::*;
use crate::config::test_files::MINIMUM;
use crate::config::{Changes, files, load as load_config};

const MORE: &str = r#"
[[role-alias]]
name = "telemetry"
[[role-alias]]
name = "video"
[[access]]
user = "camera"
role-aliases = ["video"]
[[access]]
user = "meter"
unit = "meter.service"
role-aliases = ["telemetry"]
publish = ["{thing}/meter/#"]
[mqtt]
keep-alive = "5min"
"#;

fn base() -> String {
    format!("{MINIMUM}{MORE}")
}

struct Place {
    folder: tempfile::TempDir,
    folders: Folders,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders {
            state: folder.path().join("state"),
            runtime: "/run/gatepost".into(),
            credentials: None,
        };
        fs::create_dir(&folders.state).unwrap();
        let place = Self { folder, folders };
        fs::write(place.main(), base()).unwrap();
        place
    }

    fn main(&self) -> PathBuf {
        self.folder.path().join("gatepost.toml")
    }

    fn config(&self) -> Config {
        load_config(&self.main(), &self.folders).unwrap()
    }

    /// Saves the configuration, and returns its path.
    fn save(&self) -> PathBuf {
        super::save(
            &self.config(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        )
        .unwrap();
        path(&self.folders)
    }

    fn load(&self) -> Result<Option<LastGood>, String> {
        load(&self.main(), &self.folders)
    }

    /// Loads a file that another version has stored, with `old` replaced by `new` in the configuration.
    fn changed(&self, old: &str, new: &str) -> Result<LastGood, String> {
        let text = base().replace(old, new);
        assert_ne!(text, base(), "{old}");
        let mut merged = files::load(&self.main(), None).unwrap().merged;
        merged.table = text.parse().unwrap();
        let content = serde_json::to_string(&merged).unwrap();
        let document = Document {
            version: VERSION,
            saved: "2026-01-01T00:00:00Z".to_owned(),
            gatepostd: "0.0.1".to_owned(),
            sha256: checksum(&content),
            content,
        };
        let bytes = serde_json::to_vec(&document).unwrap();
        atomic_file::replace_private(&path(&self.folders), &bytes).unwrap();
        self.load().map(Option::unwrap)
    }
}

#[test]
fn the_stored_configuration_is_the_one_in_use() {
    let place = Place::new();
    assert!(place.load().unwrap().is_none());
    let stored = place.save();
    assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
    let before = place.config();
    fs::write(place.main(), "nonsense").unwrap();
    let good = place.load().unwrap().unwrap();
    assert!(Changes::between(&before, &good.config).is_empty() && good.left_out.is_empty());
    assert_eq!(good.saved, "2027-01-15T08:00:00Z");
    // Rules are named by their original files.
    assert_eq!(good.config.access[1].place, before.access[1].place);
    // The same configuration is not written again, to spare the SD card.
    let written = fs::metadata(&stored).unwrap().modified().unwrap();
    save(&good.config, SystemTime::now()).unwrap();
    assert_eq!(fs::metadata(&stored).unwrap().modified().unwrap(), written);
    fs::remove_file(stored).unwrap();
    assert!(place.load().unwrap().is_none());
}

#[test]
fn a_damaged_foreign_or_exposed_file_is_refused() {
    type Damage = fn(&Path);
    fn edit(path: &Path, old: &str, new: &str) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(old), "{old}");
        fs::write(path, text.replace(old, new)).unwrap();
    }
    fn replace(path: &Path, make: impl Fn(&Path)) {
        fs::remove_file(path).unwrap();
        make(path);
    }
    let cases: [(&str, Damage); 14] = [
        ("it is damaged", |path| fs::write(path, "").unwrap()),
        ("it is damaged", |path| fs::write(path, [0; 4096]).unwrap()),
        ("it is damaged", |path| fs::write(path, "{}").unwrap()),
        ("it is damaged", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("its checksum is another one", |path| edit(path, "camera", "nobody")),
        ("it is of version 2", |path| {
            edit(path, "\"version\":1", "\"version\":2")
        }),
        ("it is of version 0", |path| {
            edit(path, "\"version\":1", "\"version\":0")
        }),
        ("it is open to others (mode 0646)", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o646)).unwrap();
        }),
        ("it is open to others (mode 0660)", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o660)).unwrap();
        }),
        ("it is open to others (mode 0604)", |path| {
            fs::set_permissions(path, Permissions::from_mode(0o604)).unwrap();
        }),
        ("it is not a regular file", |path| {
            replace(path, |path| fs::create_dir(path).unwrap())
        }),
        ("it is not a regular file", |path| {
            replace(path, |path| symlink("/etc/passwd", path).unwrap())
        }),
        ("it is not a regular file", |path| {
            replace(path, |path| {
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap()
            });
        }),
        ("it is larger than 8 MiB", |path| {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(MAX_SIZE + 1)
                .unwrap();
        }),
    ];
    for (why, damage) in cases {
        let place = Place::new();
        let stored = place.save();
        damage(&stored);
        let said = place.load().unwrap_err();
        assert!(
            said.starts_with(&stored.display().to_string()) && said.contains(why),
            "{said}\nexpected {why}"
        );
        assert!(!said.contains("camera"), "{said}");
    }
    // A configuration of another main file is not used.
    let place = Place::new();
    place.save();
    let said = load(&place.main().with_file_name("other.toml"), &place.folders).unwrap_err();
    assert!(said.contains("gatepost.toml, and not from"), "{said}");
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    let (root, own, other) = (0, 990, 1000);
    for (is_file, owner, mode, fits) in [
        (true, own, 0o100_600, true),
        (true, root, 0o100_600, true),
        (true, own, 0o100_400, true),
        (true, other, 0o100_600, false),
        (true, own, 0o100_620, false),
        (true, own, 0o100_640, false),
        (true, own, 0o100_602, false),
        (false, own, 0o040_700, false),
    ] {
        assert_eq!(check_owner(is_file, owner, own, mode).is_ok(), fits, "{owner} {mode:o}");
    }
}

/// After an upgrade that no longer accepts a key, both the file on the disk and the stored configuration are invalid.
#[test]
fn values_of_another_version_are_left_out_and_named() {
    let unit = "unit = \"meter.service\"\n";
    for (old, new, named) in [
        ("[mqtt]", "[mqtt]\nold-key = 1", "mqtt.old-key: unknown field"),
        (
            "keep-alive = \"5min\"",
            "keep-alive = \"5s\"",
            "mqtt.keep-alive: \"5s\" is outside",
        ),
        (
            "keep-alive = \"5min\"",
            "keep-alive = 300",
            "mqtt.keep-alive: invalid type",
        ),
        ("[mqtt]", "[old-table]\na = 1\n[mqtt]", "old-table: unknown field"),
        (
            "[mqtt]",
            "[loopback]\nlisten = \"0.0.0.0:80\"\n[mqtt]",
            "loopback.listen: ",
        ),
        ("[aws]", "[aws]\nold-key = true", "aws.old-key: unknown field"),
        (
            "[token]",
            "[token]\nold-key = { a = 1 }",
            "token.old-key: unknown field",
        ),
        (
            "[identity.subject]",
            "[identity.subject]\ntitle = \"x\"",
            "identity.subject.title: unknown field",
        ),
        (
            "[identity.subject]",
            "[identity]\nold-key = 1\n[identity.subject]",
            "identity.old-key: unknown field",
        ),
        (
            "[[role-alias]]\nname = \"video\"",
            "[[role-alias]]\nold-key = 1\nname = \"video\"",
            "role-alias[1]: unknown field",
        ),
        ("name = \"video\"", "name = \"vid eo\"", "role-alias[1].name: "),
        (
            unit,
            "unit = \"meter.service\"\nold-condition = 1\n",
            "access[1]: unknown field",
        ),
        (unit, "unit = \"meter\"\n", "access[1].unit: "),
        ("publish = [", "publish = [\"#/a\", ", "access[1].publish: "),
        ("user = \"camera\"\n", "", "access[0]: selects nobody"),
    ] {
        let place = Place::new();
        let good = place.changed(old, new).unwrap_or_else(|why| panic!("{new}: {why}"));
        let said = good.left_out.join("\n");
        assert!(said.contains(named), "{new}\nsaid     {said}\nexpected {named}");
        // The identity is the same, and no rule grants more than before.
        let usual = place.config();
        assert_eq!((&good.config.aws, &good.config.identity), (&usual.aws, &usual.identity));
        assert_eq!(good.config.token, usual.token);
        for rule in &good.config.access {
            let same = |known: &&crate::config::AccessRule| known.who == rule.who && known.publish == rule.publish;
            assert!(usual.access.iter().any(|known| same(&known)), "{rule:?}");
        }
    }
}

#[test]
fn the_identity_is_never_left_out() {
    for (old, new) in [
        ("\"a1-ats.iot.us-east-2.amazonaws.com\"", "\"a 1\""),
        (
            "credentials-endpoint = \"c4.credentials.iot.us-east-2.amazonaws.com\"",
            "",
        ),
        ("[aws]", "[aws]\nroot-ca = \"relative\""),
        ("[aws]", "[aws]\nroot-ca = 5"),
        ("pkcs11:token", "pkcs12:token"),
        ("[token]", "[token]\ngenerate = \"ec-p999\""),
        ("[token]", "[token]\npin-file = 5"),
        ("common-name = \"gw-1\"", "common-name = \"gw 1\""),
        ("[identity.subject]", "[identity.subject]\ncountry = \"India\""),
        (
            "[identity.subject]",
            "[identity]\nthing-name = \"a b\"\n[identity.subject]",
        ),
    ] {
        let said = Place::new().changed(old, new).map(|good| good.left_out).unwrap_err();
        assert!(said.contains("last-good.json: "), "{new}: {said}");
    }
}
