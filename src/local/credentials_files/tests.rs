//! Tests of writing and removing files, with a table of obstacles.

mod expired;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use zeroize::Zeroizing;

use super::synchronize::{DesiredFile, Files};
use super::*;
use crate::config::{FileFormat, FileOwner};

struct Place {
    root: tempfile::TempDir,
    files: Files,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("run")).unwrap();
        let folder = root.path().join("srv");
        fs::create_dir(&folder).unwrap();
        for folder in [root.path().join("run"), folder, root.path().to_owned()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let files = Files::of_earlier_run(&root.path().join("run"));
        Self { root, files }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn again(&mut self) {
        self.files = Files::of_earlier_run(&self.at("run"));
    }

    fn desired(&self, name: &str, key: &str) -> DesiredFile {
        let content = (!key.is_empty()).then(|| Ok(Zeroizing::new(format!("key {key}"))));
        DesiredFile {
            file: CredentialsFile {
                place: "credentials-file[0]".to_owned(),
                path: self.at(name),
                role_alias: "telemetry".to_owned(),
                owner: FileOwner::User(rustix::process::geteuid().as_raw().to_string()),
                format: FileFormat::Aws,
            },
            content,
            access_key_id: key.to_owned(),
            life: Duration::ZERO..Duration::from_secs(1800),
        }
    }

    /// Synchronizes one file, and returns its problem.
    fn write(&mut self, name: &str, key: &str) -> Option<String> {
        let desired = self.desired(name, key);
        let problems = self.files.synchronize(&[desired]);
        problems.into_iter().flatten().next().map(|problem| problem.to_string())
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.at(name)).ok()
    }
}

#[test]
fn a_file_is_replaced_with_each_set_and_removed_with_the_last() {
    for name in ["run/files/camera.aws", "srv/camera.aws"] {
        let mut place = Place::new();
        for key in ["A", "A", "B"] {
            assert_eq!(place.write(name, key), None);
            assert_eq!(place.read(name).unwrap(), format!("key {key}"));
            let found = fs::metadata(place.at(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o7777, 0o400);
        }
        let inode = fs::metadata(place.at(name)).unwrap().ino();
        assert_eq!(place.write(name, "B"), None);
        assert_eq!(
            fs::metadata(place.at(name)).unwrap().ino(),
            inode,
            "it was written again"
        );
        assert_eq!(place.write(name, ""), None);
        assert!(place.read(name).is_none());
        let folder = fs::read_dir(place.at(name).parent().unwrap()).unwrap();
        assert_eq!(folder.count(), 0, "a draft was left");
    }
}

#[test]
fn the_next_run_removes_what_is_not_configured_any_more() {
    let mut place = Place::new();
    let all = |place: &Place| ["run/files/a", "run/files/b", "srv/c", "srv/d"].map(|name| place.desired(name, "A"));
    let desired = all(&place);
    assert!(place.files.synchronize(&desired).iter().all(Option::is_none));
    fs::write(place.at("run/files/unknown"), "").unwrap();
    place.again();
    let desired = [place.desired("run/files/a", "B"), place.desired("srv/c", "")];
    assert!(place.files.synchronize(&desired).iter().all(Option::is_none));
    let left = ["run/files/a", "run/files/b", "run/files/unknown", "srv/c", "srv/d"].map(|name| place.read(name));
    assert_eq!(left, [Some("key B".to_owned()), None, None, None, None]);
    place.again();
    place.files.remove_all();
    assert!(place.read("run/files/a").is_none());
}

#[test]
fn a_file_of_a_run_without_a_record_is_replaced_and_removed() {
    for key in ["B", ""] {
        let mut place = Place::new();
        assert_eq!(place.write("srv/camera.aws", "A"), None);
        // As after a boot, if the folder is on a disk: the record is lost.
        fs::remove_file(place.at("run/credentials-files.json")).unwrap();
        place.again();
        assert_eq!(place.write("srv/camera.aws", key), None);
        let expected = (key == "B").then(|| "key B".to_owned());
        assert_eq!(place.read("srv/camera.aws"), expected);
    }
}

/// An obstacle, and the words of its problem.
type Case = (&'static str, fn(&Place), &'static str);

#[test]
fn an_obstacle_is_named_and_left_alone() {
    let cases: [Case; 11] = [
        ("srv/none/x", |_| {}, "/srv/none does not exist; next: install -d "),
        (
            "srv/link/x",
            |place| symlink("/", place.at("srv/link")).unwrap(),
            "/srv/link is a symbolic link, and gatepost follows none",
        ),
        (
            "srv/dangling/x",
            |place| symlink("/nowhere", place.at("srv/dangling")).unwrap(),
            "/srv/dangling is a symbolic link",
        ),
        (
            "srv/file/x",
            |place| fs::write(place.at("srv/file"), "x").unwrap(),
            "/srv/file is not a folder",
        ),
        (
            "srv/x",
            |place| symlink(place.at("precious"), place.at("srv/x")).unwrap(),
            "/srv/x is a symbolic link, and gatepost follows none; next: remove it",
        ),
        (
            "srv/x",
            |place| fs::create_dir(place.at("srv/x")).unwrap(),
            "/srv/x is not a file",
        ),
        (
            "srv/x",
            |place| fs::write(place.at("srv/x"), "[default]\n").unwrap(),
            "/srv/x was not written by gatepost, and would be lost; next: move it away",
        ),
        (
            "srv/x",
            |place| fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(0o777)).unwrap(),
            "every user can write into the folder",
        ),
        (
            "srv/x",
            |place| fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(0o1777)).unwrap(),
            "every user can write into the folder",
        ),
        (
            "srv/x",
            |place| fs::create_dir(place.at("srv/.x.gatepost-new")).unwrap(),
            "/srv/x cannot be written: ",
        ),
        (
            "srv/inner/x",
            |place| {
                fs::create_dir(place.at("srv/inner")).unwrap();
                fs::set_permissions(place.at("srv/inner"), fs::Permissions::from_mode(0o755)).unwrap();
                fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(0o777)).unwrap();
            },
            "every user can write into the folder",
        ),
    ];
    for (name, arrange, words) in cases {
        let mut place = Place::new();
        fs::write(place.at("precious"), "precious").unwrap();
        arrange(&place);
        let before = place.read(name);
        for key in ["A", "B"] {
            let problem = place.write(name, key).unwrap_or_else(|| panic!("{words}"));
            assert!(problem.contains(words) && problem.contains("; next: "), "{problem}");
        }
        // Another file is not affected.
        let desired = [place.desired(name, "A"), place.desired("run/files/good", "A")];
        let problems = place.files.synchronize(&desired);
        assert!(problems[0].is_some() && problems[1].is_none(), "{problems:?}");
        assert_eq!(
            (place.read(name), place.read("precious").unwrap()),
            (before, "precious".to_owned())
        );
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (owner, group, mode, words) in [
        (
            61001,
            0,
            0o755,
            Some("belongs to uid 61001, who can replace the files in it"),
        ),
        (61001, 61001, 0o700, Some("belongs to uid 61001")),
        (0, 61001, 0o775, Some("its group can write into the folder")),
        (0, 61001, 0o755, None),
        (0, 0, 0o775, None),
    ] {
        let mut place = Place::new();
        std::os::unix::fs::chown(place.at("srv"), Some(owner), Some(group)).unwrap();
        fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(mode)).unwrap();
        let problem = place.write("srv/x", "A");
        assert_eq!(problem.is_some(), words.is_some(), "{problem:?}");
        let problem = problem.unwrap_or_default();
        assert!(problem.contains(words.unwrap_or_default()), "{problem}");
        assert_eq!(problem.contains("choose a path in "), words.is_some());
    }
}

#[test]
fn the_owner_must_exist_and_be_able_to_reach_its_file() {
    let problem = |owner: FileOwner, mode: u32| {
        let mut place = Place::new();
        fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(mode)).unwrap();
        let mut desired = place.desired("srv/x", "A");
        desired.file.owner = owner;
        let problems = place.files.synchronize(&[desired]);
        problems.into_iter().flatten().next().map(|problem| problem.to_string())
    };
    let user = |name: &str| FileOwner::User(name.to_owned());
    let group = |name: &str| FileOwner::Group(name.to_owned());
    for (owner, mode, words) in [
        (
            user("no-such-user"),
            0o755,
            "there is no user no-such-user on this machine; next: create it",
        ),
        (
            group("no-such-group"),
            0o755,
            "there is no group no-such-group on this machine; next: create it",
        ),
        (user("nobody"), 0o700, "user nobody cannot enter the folder "),
        (user("61001"), 0o750, "user 61001 cannot enter the folder "),
        (group("61001"), 0o700, "group 61001 cannot enter the folder "),
    ] {
        let problem = problem(owner, mode).unwrap();
        assert!(problem.contains(words), "{problem}");
    }
    if rustix::process::geteuid().is_root() {
        for (owner, uid, gid, mode) in [("nobody", 65534, 0, 0o400), ("61001", 61001, 0, 0o400)] {
            let mut place = Place::new();
            let mut desired = place.desired("srv/x", "A");
            desired.file.owner = user(owner);
            assert_eq!(place.files.synchronize(&[desired]), [None]);
            let found = fs::metadata(place.at("srv/x")).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (uid, gid, mode));
        }
    }
}

#[test]
fn keys_that_a_format_cannot_hold_leave_no_file() {
    let mut place = Place::new();
    assert_eq!(place.write("srv/x", "A"), None);
    let mut desired = place.desired("srv/x", "B");
    desired.content = Some(Err("the session token is longer than kvssink reads".to_owned()));
    let problems = place.files.synchronize(&[desired]);
    assert!(
        problems[0]
            .as_ref()
            .unwrap()
            .to_string()
            .contains("longer than kvssink reads; next: ")
    );
    assert!(place.read("srv/x").is_none());
}
