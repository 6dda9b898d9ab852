//! Which known word a mistyped one was meant to be.
//!
//! Owns the measure of likeness only; callers bring the words.

/// The one of `words` that `word` most likely was meant to be.
pub(crate) fn meant<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    // Longer words would cost more than they are worth: no known one is.
    if word.len() > 32 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let mut best: Option<(usize, &'w str)> = None;
    for &known in words {
        let allowed = match known.len() {
            0..=2 => 0,
            3..=4 => 1,
            _ => 2,
        };
        let distance = distance(lower.as_bytes(), known.as_bytes());
        if distance <= allowed && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, known));
        }
    }
    best.map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours between two
/// words.
fn distance(a: &[u8], b: &[u8]) -> usize {
    // Three rows of the usual table, so that swaps can look two rows back.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i.saturating_add(1));
        let mut previous_b = None;
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, j).saturating_add(usize::from(x != y));
            let deleted = at(&last, j.saturating_add(1)).saturating_add(1);
            let inserted = at(&row, j).saturating_add(1);
            let mut cost = replaced.min(deleted).min(inserted);
            if previous_a == Some(y) && previous_b == Some(x) {
                cost = cost.min(at(&before, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(cost);
            previous_b = Some(y);
        }
        before = core::mem::replace(&mut last, row);
        previous_a = Some(x);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, meant};

    #[test]
    fn likeness() {
        assert_eq!(distance(b"deny", b"deny"), 0);
        assert_eq!(distance(b"denny", b"deny"), 1);
        assert_eq!(distance(b"dney", b"deny"), 1);
        assert_eq!(distance(b"", b"deny"), 4);
        assert_eq!(distance(b"whne", b"when"), 1);
    }

    #[test]
    fn the_word_meant() {
        assert_eq!(meant("denny", &["allow", "deny"]), Some("deny"));
        assert_eq!(meant("WHEN", &["when", "unless"]), Some("when"));
        assert_eq!(meant("xyz", &["when", "unless"]), None);
        assert_eq!(meant("i", &["in"]), None);
    }
}
