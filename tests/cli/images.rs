//! `lsmpc build` and what is done with images.

use crate::{GOOD, Place, snapshot};

#[test]
fn images() {
    let place = Place::new();
    snapshot!(
        "build",
        place.shown(&["build", "good.lsmp", "-o", "one.img"])
    );
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "two.img"]), 0);
    let image = place.read("one.img");
    assert_eq!(image, place.read("two.img"), "the same bytes each time");
    assert!(image.starts_with(b"LSMPIMG\0") && image.len().is_multiple_of(4096));
    let stdout = place.run(&["build", "good.lsmp", "-o", "-"]).stdout;
    assert_eq!(image, stdout);

    // Another directory, the same bytes.
    let elsewhere = Place::new();
    assert_eq!(elsewhere.code(&["build", "good.lsmp", "-o", "one.img"]), 0);
    assert_eq!(image, elsewhere.read("one.img"));

    // The sources come back.
    let source = place.run(&["show", "--image", "one.img"]);
    assert!(String::from_utf8(source.stdout).unwrap().contains(GOOD));
    snapshot!(
        "show-tables",
        place.shown(&["show", "--image", "one.img", "--tables"])
    );

    // An errant policy leaves no file behind.
    assert_eq!(place.code(&["build", "bad.lsmp", "-o", "bad.img"]), 1);
    assert!(!place.0.path().join("bad.img").exists());
    assert_eq!(
        place.code(&["build", "good.lsmp", "-o", "nowhere/x.img"]),
        2
    );
}

#[test]
fn damaged_images() {
    let place = Place::new();
    assert_eq!(place.code(&["build", "good.lsmp", "-o", "good.img"]), 0);
    let image = place.read("good.img");
    place.write("short.img", &image[..4000]);
    place.write("cut.img", &image[..image.len() - 4096]);
    let mut flipped = image.clone();
    let last = flipped.len() - 1;
    flipped[last / 2] ^= 1;
    place.write("flipped.img", flipped);
    let mut version = image;
    version[8] = 99;
    place.write("version.img", version);
    for name in ["short", "cut", "flipped", "version"] {
        let file = format!("{name}.img");
        let text = place.shown(&["eval", &file, "--events", "events.jsonl"]);
        assert!(text.starts_with("exit code: 2"), "{text}");
        snapshot!(format!("image-{name}"), text);
    }
}
