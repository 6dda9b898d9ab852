//! What a program about to run is given: its arguments and its environment.
//!
//! Owns taking apart what a record holds of them, which is their start and their end.

/// Some strings, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The strings, without NUL; they need not be UTF-8.
    pub strings: Vec<Vec<u8>>,
    /// Whether some are left out, or parts of the last one of the arguments.
    pub cut: bool,
}

/// Arguments and environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strings {
    /// They could not be read.
    Unknown,
    /// As far as the record has room.
    Known {
        /// From the first on; the last of them may be cut.
        arguments: List,
        /// Whole strings, the middle ones left out first.
        environment: List,
    },
}

impl Strings {
    /// From the first `head` and the last bytes of `argc` and then `envc` strings,
    /// which are `total` bytes, each ending in NUL.
    pub(super) fn split(bytes: &[u8], head: usize, argc: usize, envc: usize, total: usize) -> Self {
        if bytes.len() == total {
            let (mut strings, _) = whole(bytes);
            let environment = strings.split_off(argc.min(strings.len()));
            return Self::known(strings, environment, argc, envc);
        }
        let (first, last) = bytes.split_at_checked(head).unwrap_or((bytes, &[]));
        let (mut arguments, rest) = whole(first);
        let mut environment = Vec::new();
        if arguments.len() >= argc {
            environment = arguments.split_off(argc);
        }
        let cut = arguments.len() < argc;
        // What the last part begins with is the end of a string.
        let (mut ending, _) = match last.iter().position(|byte| *byte == 0) {
            Some(nul) => whole(last.get(nul.saturating_add(1)..).unwrap_or(&[])),
            None => (Vec::new(), last),
        };
        let wanted = envc.saturating_sub(environment.len());
        environment.extend(ending.split_off(ending.len().saturating_sub(wanted)));
        if cut {
            arguments.push(rest.to_vec());
        }
        let mut known = Self::known(arguments, environment, argc, envc);
        if let Self::Known { arguments, .. } = &mut known {
            arguments.cut = cut;
        }
        known
    }

    fn known(arguments: Vec<Vec<u8>>, environment: Vec<Vec<u8>>, argc: usize, envc: usize) -> Self {
        Self::Known {
            arguments: List {
                cut: arguments.len() < argc,
                strings: arguments,
            },
            environment: List {
                cut: environment.len() < envc,
                strings: environment,
            },
        }
    }
}

/// The strings that have their NUL, and what is behind the last one.
fn whole(bytes: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut strings = Vec::new();
    let mut rest = bytes;
    while let Some(nul) = rest.iter().position(|byte| *byte == 0) {
        let (string, behind) = rest.split_at(nul);
        strings.push(string.to_vec());
        rest = behind.get(1..).unwrap_or(&[]);
    }
    (strings, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a record with parts of `part` bytes would tell.
    fn recorded(arguments: &[&str], environment: &[&str], part: usize) -> Strings {
        let all: Vec<u8> = arguments
            .iter()
            .chain(environment)
            .flat_map(|string| string.bytes().chain([0]))
            .collect();
        let head = all.len().min(part);
        let tail = (all.len() - head).min(part);
        let mut bytes = all[..head].to_vec();
        bytes.extend(&all[all.len() - tail..]);
        Strings::split(&bytes, head, arguments.len(), environment.len(), all.len())
    }

    fn told(arguments: &[&str], cut: bool, environment: &[&str], environment_cut: bool) -> Strings {
        let list = |strings: &[&str], cut| List {
            strings: strings.iter().map(|one| one.as_bytes().to_vec()).collect(),
            cut,
        };
        Strings::Known {
            arguments: list(arguments, cut),
            environment: list(environment, environment_cut),
        }
    }

    #[test]
    fn all_of_it() {
        let (arguments, environment) = (["ls", "", "-l"], ["A=1", "B="]);
        for part in [8, 10, 100] {
            assert_eq!(
                recorded(&arguments, &environment, part),
                told(&arguments, false, &environment, false),
                "{part}"
            );
        }
        assert_eq!(recorded(&["x"], &[], 1), told(&["x"], false, &[], false));
        assert_eq!(recorded(&[], &[], 9), told(&[], false, &[], false));
    }

    #[test]
    fn arguments_that_are_too_long_leave_the_environment() {
        let long = "x".repeat(40);
        assert_eq!(
            recorded(&["sh", &long], &["A=1", "B=2"], 10),
            told(&["sh", "xxxxxxx"], true, &["A=1", "B=2"], false)
        );
        // The last part ends in the middle of the arguments.
        assert_eq!(
            recorded(&["sh", &long, "a", "b"], &["A=1"], 10),
            told(&["sh", "xxxxxxx"], true, &["A=1"], false)
        );
        assert_eq!(
            recorded(&["sh", &long], &["A=12345678", "B=2"], 10),
            told(&["sh", "xxxxxxx"], true, &["B=2"], true)
        );
        assert_eq!(
            recorded(&["sh", &long], &[], 10),
            told(&["sh", "xxxxxxx"], true, &[], false)
        );
        // The cut is between two arguments.
        assert_eq!(
            recorded(&["sh", "123456", &long], &[], 10),
            told(&["sh", "123456", ""], true, &[], false)
        );
    }

    #[test]
    fn an_environment_that_is_too_long_lacks_its_middle() {
        let (one, other) = ("A".repeat(30), "B".repeat(30));
        assert_eq!(
            recorded(&["ls"], &["X=1", &one, &other, "Y=2"], 10),
            told(&["ls"], false, &["X=1", "Y=2"], true)
        );
        assert_eq!(
            recorded(&["ls"], &[&one, &other], 10),
            told(&["ls"], false, &[], true)
        );
    }

    #[test]
    fn nonsense_is_told_without_a_panic() {
        for head in 0..6 {
            for argc in [0, 1, 3, usize::MAX] {
                for total in [0, 5, usize::MAX] {
                    let told = Strings::split(b"a\0b\0c", head, argc, usize::MAX, total);
                    assert_ne!(told, Strings::Unknown);
                }
            }
        }
    }
}
