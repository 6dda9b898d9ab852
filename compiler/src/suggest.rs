//! Which known name a mistyped one was meant to be.
//!
//! Owns the measure of likeness only; callers bring the names.

/// The known name that is closest to `word`, if one is close.
pub(crate) fn closest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
        let allowed = match name.len().min(word.len()) {
            0..=2 => 0,
            3..=4 => 1,
            5..=8 => 2,
            _ => 3,
        };
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// `did you mean …?` for the closest name, if one is close.
pub(crate) fn did_you_mean<'n>(
    word: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    closest(word, known).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn likeness() {
        let names = ["file_open", "file_lock", "bpf", "uid"];
        assert_eq!(closest("file_opne", names), Some("file_open"));
        assert_eq!(closest("FILE_OPEN", names), Some("file_open"));
        assert_eq!(closest("udi", names), Some("uid"));
        assert_eq!(closest("gnu", names), None);
        assert_eq!(closest("", names), None);
    }
}
