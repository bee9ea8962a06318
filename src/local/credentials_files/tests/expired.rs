use super::*;

#[test]
fn a_file_that_cannot_be_replaced_is_removed_once_its_keys_have_expired() {
    let mut place = Place::new();
    assert_eq!(place.write("srv/x", "A"), None);
    // Nothing can be written there, as on a full file system.
    fs::create_dir(place.at("srv/.x.gatepost-new")).unwrap();
    for (seconds, left) in [(900, Some("key A")), (1799, Some("key A")), (1800, None), (1830, None)] {
        let now = Duration::from_secs(seconds);
        let mut desired = place.desired("srv/x", "B");
        desired.life = now..now + Duration::from_secs(1800);
        assert!(place.files.synchronize(&[desired])[0].is_some());
        assert_eq!(place.read("srv/x").as_deref(), left, "{seconds}");
    }
    fs::remove_dir(place.at("srv/.x.gatepost-new")).unwrap();
    assert_eq!(place.write("srv/x", "B"), None);
    assert_eq!(place.read("srv/x").unwrap(), "key B");
}

/// A case: the record that an earlier run has left, and the clock of the present run.
struct Case {
    what: &'static str,
    /// The second at which the keys of the file end, in the record; `None` if the record does not say.
    recorded_end: Option<u64>,
    has_record: bool,
    /// The seconds at which this run looks, and whether the file is there afterwards.
    looks: &'static [(u64, bool)],
}

#[test]
fn a_file_of_an_earlier_run_that_cannot_be_replaced_goes_with_its_keys_as_well() {
    const HALF_A_DAY: u64 = 12 * 3600;
    let cases = [
        Case {
            what: "its keys end while this run lasts",
            recorded_end: Some(1800),
            has_record: true,
            looks: &[(900, true), (1799, true), (1800, false), (1830, false)],
        },
        Case {
            what: "its keys have ended before this run",
            recorded_end: Some(1800),
            has_record: true,
            looks: &[(5000, false)],
        },
        Case {
            what: "the end is by the clock of another boot",
            recorded_end: Some(1_000_000),
            has_record: true,
            looks: &[(60, false)],
        },
        Case {
            what: "the record of gatepost 0.1 says no end",
            recorded_end: None,
            has_record: true,
            looks: &[(60, true), (60 + HALF_A_DAY - 1, true), (60 + HALF_A_DAY, false)],
        },
        Case {
            what: "a boot has ended the record",
            recorded_end: None,
            has_record: false,
            looks: &[(60, true), (60 + HALF_A_DAY, false)],
        },
    ];
    for Case {
        what,
        recorded_end,
        has_record,
        looks,
    } in cases
    {
        let mut place = Place::new();
        assert_eq!(place.write("srv/x", "A"), None);
        let (record, path) = (place.at("run/credentials-files.json"), place.at("srv/x"));
        match (has_record, recorded_end) {
            (false, _) => fs::remove_file(&record).unwrap(),
            (true, None) => fs::write(&record, serde_json::to_vec(&[&path]).unwrap()).unwrap(),
            (true, Some(end)) => {
                let content = std::collections::BTreeMap::from([(&path, end)]);
                fs::write(&record, serde_json::to_vec(&content).unwrap()).unwrap();
            }
        }
        // The restart, with nothing writable.
        place.again();
        fs::create_dir(place.at("srv/.x.gatepost-new")).unwrap();
        for (second, is_there) in looks {
            let now = Duration::from_secs(*second);
            let mut desired = place.desired("srv/x", "B");
            desired.life = now..now + Duration::from_secs(1800);
            assert!(place.files.synchronize(&[desired])[0].is_some(), "{what}");
            assert_eq!(place.at("srv/x").exists(), *is_there, "{what}: {second}");
        }
    }
}

#[test]
fn the_end_of_the_keys_passes_to_the_next_run() {
    let mut place = Place::new();
    let mut desired = place.desired("srv/x", "A");
    desired.life = Duration::from_secs(100)..Duration::from_secs(1900);
    assert_eq!(place.files.synchronize(&[desired]), [None]);
    place.again();
    fs::create_dir(place.at("srv/.x.gatepost-new")).unwrap();
    for (second, is_there) in [(1899, true), (1900, false)] {
        let mut desired = place.desired("srv/x", "B");
        desired.life = Duration::from_secs(second)..Duration::from_secs(second + 1800);
        assert!(place.files.synchronize(&[desired])[0].is_some());
        assert_eq!(place.at("srv/x").exists(), is_there, "{second}");
    }
}

#[test]
fn expired_keys_that_can_be_neither_replaced_nor_removed_are_said() {
    let mut place = Place::new();
    assert_eq!(place.write("srv/x", "A"), None);
    place.again();
    // Not even root can remove from a folder that it refuses to open.
    fs::set_permissions(place.at("srv"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut desired = place.desired("srv/x", "B");
    desired.life = Duration::from_secs(9000)..Duration::from_secs(9900);
    let problem = place.files.synchronize(&[desired]).remove(0).unwrap();
    assert!(problem.message.contains("every user can write"), "{problem}");
    assert!(
        problem.message.contains("/srv/x holds keys that have expired"),
        "{problem}"
    );
    assert!(place.at("srv/x").exists());
}
