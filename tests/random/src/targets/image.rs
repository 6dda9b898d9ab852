//! Any bytes as an image, and valid images with changes: refused, or without a fault.

use std::sync::LazyLock;

use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_engine::host::Slice;
use lsmpc_engine::image::Image;

use crate::{Choices, damage};

static VALID: LazyLock<Vec<u8>> = LazyLock::new(damage::image);
const EVENTS: usize = 4;
/// Changes to one image.
const CHANGES: usize = 64;

/// The first byte says whether the others are the image or changes to a valid one.
/// Whatever the bytes, the engine ends; without a fault, if the checks find nothing.
pub fn image(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let mut image;
    let mut choices;
    if first & 1 == 0 {
        image = rest.to_vec();
        image.resize(rest.len().next_multiple_of(PAGE_SIZE), 0);
        choices = Choices::seeded(rest.len() as u64);
    } else {
        image = VALID.clone();
        choices = Choices::of(rest);
        change(&mut image, &mut choices);
    }
    // As they are, too: what is not signed is refused before anything else.
    if first & 2 == 0 {
        damage::sign(&mut image);
    }
    for _ in 0..EVENTS {
        let mut event = damage::event(&mut choices);
        let hook = *choices.pick(&damage::HOOKS);
        let _ = damage::decided(&Slice(&image), hook, &mut event);
    }
    let Ok(image) = Image::from_bytes(image) else {
        return;
    };
    // What is shown of it is not trusted either.
    let _ = image.report();
    for _ in 0..EVENTS {
        damage::decides(&image, &mut damage::event(&mut choices));
    }
}

/// Writes words where the choices say.
fn change(image: &mut [u8], choices: &mut Choices<'_>) {
    let words = damage::words(image);
    for _ in 0..CHANGES {
        if !choices.has_bytes() {
            break;
        }
        damage::change(image, &words, choices);
    }
}
