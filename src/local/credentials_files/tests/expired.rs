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
