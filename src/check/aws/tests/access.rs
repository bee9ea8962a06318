use std::os::unix::fs::{chown, symlink};

use super::*;

/// Any ID without an account will do for the owner of files, but the groups come from the database.
const USER: &str = "nobody";

#[test]
fn links_are_followed_as_the_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut user = User::from_name(USER).unwrap().unwrap();
    let home = Home::new("", "");
    let closed = tempfile::tempdir().unwrap();
    fs::write(closed.path().join("keys"), format!("[default]\n{KEYS}")).unwrap();
    for (file, mode, words) in [
        // The folder of root's is closed (0700), whatever the file's mode.
        (closed.path().join("keys"), 0o644, "cannot be read: permission denied"),
        (home.path().join("root's"), 0o600, "cannot be read: permission denied"),
        (home.path().join("group's"), 0o640, "cannot be read: permission denied"),
        (home.path().join("everybody's"), 0o644, "use the keys in"),
    ] {
        if !file.exists() {
            fs::write(&file, format!("[default]\n{KEYS}")).unwrap();
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let credentials = home.path().join(".aws/credentials");
        fs::remove_file(&credentials).unwrap();
        symlink(&file, &credentials).unwrap();
        for path in [home.path().to_owned(), home.path().join(".aws")] {
            chown(&path, Some(user.uid.as_raw()), None).unwrap();
        }
        user.dir = home.path().to_owned();
        let mut report = Report::default();
        check(&user, &configuration(closed.path()), &mut report);
        let text = report.text();
        assert!(text.contains(words), "{}: {text}", file.display());
        assert!(!text.contains("AKIA"), "{text}");
    }
}
