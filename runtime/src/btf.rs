//! The kernel's BTF: where members of structures are, and which functions exist.
//!
//! Owns the walk over the bytes of `/sys/kernel/btf/vmlinux`. Must not know which
//! members anybody is interested in. (aya-obj reads BTF too, but keeps its types
//! to itself.) Every read is checked: a damaged blob gives an error, no panic.

mod shapes;

use std::collections::HashMap;

pub use shapes::Shape;

const MAGIC: u16 = 0xeb9f;

const KIND_INT: u32 = 1;
const KIND_POINTER: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// How deep anonymous members and typedefs are followed.
const MAX_DEPTH: u32 = 16;

/// What was wrong with a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BtfError(String);

/// One type: where its record is and what it says about itself.
#[derive(Debug, Clone, Copy)]
struct Type {
    /// Offset of what follows the three fixed words.
    body: usize,
    name: u32,
    kind: u32,
    kind_flag: bool,
    length: u32,
    size_or_type: u32,
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Bits from the structure's start.
    pub bit_offset: u32,
    /// Width in bits of a bit field, else 0.
    pub bit_size: u32,
    /// Size in bytes of the member's type, where it has one.
    pub size: Option<u32>,
}

/// A parsed blob.
pub struct KernelBtf {
    bytes: Vec<u8>,
    strings: usize,
    strings_end: usize,
    /// Type *n* is element *n* − 1.
    types: Vec<Type>,
    structures: HashMap<String, u32>,
    functions: HashMap<String, u32>,
}

impl std::fmt::Debug for KernelBtf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelBtf")
            .field("bytes", &self.bytes.len())
            .field("types", &self.types.len())
            .finish_non_exhaustive()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

impl KernelBtf {
    /// Parses a blob.
    ///
    /// # Errors
    ///
    /// When it is not BTF of this machine's byte order or ends early.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let cut = || BtfError("it ends early".into());
        match u16_at(&bytes, 0) {
            Some(MAGIC) => {}
            Some(_) => return Err(BtfError("it does not begin like BTF".into())),
            None => return Err(cut()),
        }
        let word = |at| u32_at(&bytes, at).map(|word| word as usize).ok_or_else(cut);
        let header = word(4)?;
        let sum = |a: usize, b: usize| a.checked_add(b).ok_or_else(cut);
        let start = sum(header, word(8)?)?;
        let end = sum(start, word(12)?)?;
        let strings = sum(header, word(16)?)?;
        let strings_end = sum(strings, word(20)?)?;
        if end > bytes.len() || strings_end > bytes.len() {
            return Err(cut());
        }
        let mut btf = Self {
            bytes,
            strings,
            strings_end,
            types: Vec::new(),
            structures: HashMap::new(),
            functions: HashMap::new(),
        };
        btf.index(start, end)?;
        Ok(btf)
    }

    fn index(&mut self, start: usize, end: usize) -> Result<(), BtfError> {
        let cut = || BtfError("a type reaches beyond its end".into());
        let mut at = start;
        let mut id = 0_u32;
        while at < end {
            id = id.saturating_add(1);
            let name = u32_at(&self.bytes, at).ok_or_else(cut)?;
            let info = u32_at(&self.bytes, at + 4).ok_or_else(cut)?;
            let size_or_type = u32_at(&self.bytes, at + 8).ok_or_else(cut)?;
            let kind = (info >> 24) & 0x1f;
            let length = info & 0xffff;
            let body = at + 12;
            let count = length as usize;
            let extra = match kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => count * 12,
                KIND_ENUM | KIND_FUNC_PROTO => count * 8,
                0..=KIND_ENUM64 => 0,
                other => return Err(BtfError(format!("it has a type of unknown kind {other}"))),
            };
            at = body + extra;
            if at > end {
                return Err(cut());
            }
            self.types.push(Type {
                body,
                name,
                kind,
                kind_flag: info >> 31 != 0,
                length,
                size_or_type,
            });
            let names = match kind {
                KIND_STRUCT | KIND_UNION => &mut self.structures,
                KIND_FUNC => &mut self.functions,
                _ => continue,
            };
            let text = string_at(&self.bytes, self.strings, self.strings_end, name);
            if let Some(text) = text
                && !text.is_empty()
            {
                names.entry(text.to_owned()).or_insert(id);
            }
        }
        Ok(())
    }

    fn ty(&self, id: u32) -> Option<Type> {
        self.types.get((id as usize).checked_sub(1)?).copied()
    }

    fn text(&self, offset: u32) -> &str {
        string_at(&self.bytes, self.strings, self.strings_end, offset).unwrap_or("")
    }

    /// The id of a function.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<u32> {
        self.functions.get(name).copied()
    }

    /// The id of a structure or union.
    #[must_use]
    pub fn structure(&self, name: &str) -> Option<u32> {
        self.structures.get(name).copied()
    }

    /// The name of a type or function.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        Some(self.text(self.ty(id)?.name)).filter(|name| !name.is_empty())
    }

    /// Names of the parameters of a function.
    #[must_use]
    pub fn parameters(&self, name: &str) -> Option<Vec<&str>> {
        let function = self.ty(self.function(name)?)?;
        let prototype = self.ty(function.size_or_type)?;
        (0..prototype.length as usize)
            .map(|n| Some(self.text(u32_at(&self.bytes, prototype.body + n * 8)?)))
            .collect()
    }

    /// Whether there is a structure or union of that name.
    #[must_use]
    pub fn has_structure(&self, name: &str) -> bool {
        self.structures.contains_key(name)
    }

    /// Size in bytes of a structure or union.
    #[must_use]
    pub fn structure_size(&self, name: &str) -> Option<u32> {
        Some(self.ty(*self.structures.get(name)?)?.size_or_type)
    }

    /// A member of a structure; `path` may go through nested structures
    /// (`"f_path.dentry"`). Anonymous structures and unions are looked into.
    #[must_use]
    pub fn member(&self, structure: &str, path: &str) -> Option<Member> {
        let mut current = *self.structures.get(structure)?;
        let mut base = 0_u32;
        let mut found = None;
        for name in path.split('.') {
            let (member, ty) = self.find(current, name, base, MAX_DEPTH)?;
            base = member.bit_offset;
            current = ty;
            found = Some(member);
        }
        found
    }

    /// Follows typedefs and qualifiers.
    fn strip(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..MAX_DEPTH {
            let ty = self.ty(id)?;
            match ty.kind {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = ty.size_or_type;
                }
                _ => return Some((id, ty)),
            }
        }
        None
    }

    fn size_of(&self, id: u32) -> Option<u32> {
        let (_, ty) = self.strip(id)?;
        match ty.kind {
            KIND_INT | KIND_STRUCT | KIND_UNION | KIND_ENUM | KIND_ENUM64 | KIND_DATASEC => {
                Some(ty.size_or_type)
            }
            KIND_POINTER => Some(8),
            KIND_ARRAY => {
                let element = u32_at(&self.bytes, ty.body)?;
                let count = u32_at(&self.bytes, ty.body + 8)?;
                // An array of arrays of … ends; a cycle is cut by `strip`'s limit
                // only where it goes through typedefs, so no recursion here.
                let (_, inner) = self.strip(element)?;
                match inner.kind {
                    KIND_ARRAY => None,
                    KIND_POINTER => count.checked_mul(8),
                    _ => inner.size_or_type.checked_mul(count),
                }
            }
            _ => None,
        }
    }

    /// The member and the id of its type.
    fn find(&self, id: u32, name: &str, base: u32, depth: u32) -> Option<(Member, u32)> {
        let (_, ty) = self.strip(id)?;
        if !matches!(ty.kind, KIND_STRUCT | KIND_UNION) || depth == 0 {
            return None;
        }
        for n in 0..ty.length as usize {
            let at = ty.body + n * 12;
            let member_name = u32_at(&self.bytes, at)?;
            let member_type = u32_at(&self.bytes, at + 4)?;
            let packed = u32_at(&self.bytes, at + 8)?;
            let (bit_size, offset) = if ty.kind_flag {
                (packed >> 24, packed & 0x00ff_ffff)
            } else {
                (0, packed)
            };
            let bit_offset = base.checked_add(offset)?;
            let text = self.text(member_name);
            if text == name {
                let member = Member {
                    bit_offset,
                    bit_size,
                    size: self.size_of(member_type),
                };
                return Some((member, member_type));
            }
            if text.is_empty()
                && let Some(found) = self.find(member_type, name, bit_offset, depth - 1)
            {
                return Some(found);
            }
        }
        None
    }

    /// The value of an enumerator, looked up in every `enum`.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<i64> {
        let enums = self.types.iter();
        enums
            .filter(|ty| matches!(ty.kind, KIND_ENUM | KIND_ENUM64))
            .flat_map(|ty| (0..ty.length as usize).filter_map(|n| self.enumerator_at(*ty, n)))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

fn string_at(bytes: &[u8], start: usize, end: usize, offset: u32) -> Option<&str> {
    let from = start.checked_add(offset as usize)?;
    let rest = bytes.get(from..end)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A blob being put together.
    #[derive(Default)]
    pub(crate) struct Blob {
        types: Vec<u8>,
        strings: Vec<u8>,
        count: u32,
    }

    impl Blob {
        pub(crate) fn name(&mut self, text: &str) -> u32 {
            if self.strings.is_empty() {
                self.strings.push(0);
            }
            if text.is_empty() {
                return 0;
            }
            let at = self.strings.len() as u32;
            self.strings.extend_from_slice(text.as_bytes());
            self.strings.push(0);
            at
        }

        fn push(&mut self, name: &str, info: u32, last: u32, body: &[u32]) -> u32 {
            let name = self.name(name);
            for word in [name, info, last].iter().chain(body) {
                self.types.extend_from_slice(&word.to_le_bytes());
            }
            self.count += 1;
            self.count
        }

        pub(crate) fn int(&mut self, name: &str, size: u32) -> u32 {
            self.push(name, KIND_INT << 24, size, &[size * 8])
        }

        pub(crate) fn aggregate(
            &mut self,
            kind: u32,
            name: &str,
            size: u32,
            members: &[(&str, u32, u32)],
        ) -> u32 {
            let mut body = Vec::new();
            for (name, ty, offset) in members {
                body.extend([self.name(name), *ty, *offset]);
            }
            self.push(name, kind << 24 | members.len() as u32, size, &body)
        }

        pub(crate) fn structure(
            &mut self,
            name: &str,
            size: u32,
            members: &[(&str, u32, u32)],
        ) -> u32 {
            self.aggregate(KIND_STRUCT, name, size, members)
        }

        pub(crate) fn union(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
            self.aggregate(KIND_UNION, name, size, members)
        }

        pub(crate) fn enumeration(&mut self, name: &str, all: &[(&str, u32)]) -> u32 {
            let mut body = Vec::new();
            for (name, value) in all {
                body.extend([self.name(name), *value]);
            }
            self.push(name, KIND_ENUM << 24 | all.len() as u32, 4, &body)
        }

        pub(crate) fn pointer(&mut self, to: u32) -> u32 {
            self.push("", KIND_POINTER << 24, to, &[])
        }

        pub(crate) fn constant(&mut self, of: u32) -> u32 {
            self.push("", KIND_CONST << 24, of, &[])
        }

        pub(crate) fn function(&mut self, name: &str) -> u32 {
            self.function_of(name, &[])
        }

        pub(crate) fn function_of(&mut self, name: &str, parameters: &[u32]) -> u32 {
            let body: Vec<u32> = parameters.iter().flat_map(|ty| [0, *ty]).collect();
            let info = KIND_FUNC_PROTO << 24 | parameters.len() as u32;
            let prototype = self.push("", info, 0, &body);
            self.push(name, KIND_FUNC << 24, prototype, &[])
        }

        pub(crate) fn bytes(mut self) -> Vec<u8> {
            self.name("");
            let mut bytes = vec![0x9f, 0xeb, 1, 0];
            let types = self.types.len() as u32;
            for word in [24, 0, types, types, self.strings.len() as u32] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            bytes.extend(self.types);
            bytes.extend(self.strings);
            bytes
        }
    }

    fn sample() -> Vec<u8> {
        let mut blob = Blob::default();
        let int = blob.int("int", 4);
        let path = blob.structure("path", 16, &[("mnt", int, 0), ("dentry", int, 64)]);
        let inner = blob.union("", 16, &[("f_path", path, 0), ("f_other", int, 0)]);
        blob.structure("file", 40, &[("f_mode", int, 0), ("", inner, 128)]);
        blob.function("bpf_lsm_file_open");
        blob.bytes()
    }

    #[test]
    fn members_are_found_through_anonymous_unions_and_nesting() {
        let btf = KernelBtf::parse(sample()).unwrap();
        assert_eq!(btf.member("file", "f_path").unwrap().bit_offset, 128);
        let dentry = btf.member("file", "f_path.dentry").unwrap();
        assert_eq!((dentry.bit_offset, dentry.size), (192, Some(4)));
        assert_eq!(btf.member("file", "f_none"), None);
        assert_eq!(btf.structure_size("file"), Some(40));
        assert!(btf.function("bpf_lsm_file_open").is_some());
        assert!(btf.function("file").is_none());
    }

    #[test]
    fn damaged_blobs_are_refused_without_a_panic() {
        let good = sample();
        for length in 0..good.len() {
            let _ = KernelBtf::parse(good[..length].to_vec());
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                if let Ok(btf) = KernelBtf::parse(bad) {
                    let _ = btf.member("file", "f_path.dentry");
                    let _ = btf.enumerator("x");
                }
            }
        }
    }

    #[test]
    fn this_machines_kernel_is_readable() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIPPED: no /sys/kernel/btf/vmlinux here");
            return;
        };
        let btf = KernelBtf::parse(bytes).unwrap();
        assert!(btf.member("file", "f_path.dentry").is_some());
        assert!(btf.member("task_struct", "real_parent").is_some());
    }
}
