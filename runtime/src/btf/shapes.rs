//! Shapes of parameters and members of enumerations.

use super::{
    KIND_ENUM, KIND_ENUM64, KIND_INT, KIND_POINTER, KIND_STRUCT, KIND_UNION, KernelBtf, Type,
    u32_at,
};

/// What a parameter is, as far as a program that reads it has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape<'b> {
    /// A number.
    Number,
    /// A pointer, with the name of the structure, union or number that it leads to; empty
    /// for `void *`.
    Pointer(&'b str),
    /// A structure itself.
    Structure,
    /// Anything else.
    Other,
}

impl KernelBtf {
    /// The shapes of a function's parameters.
    #[must_use]
    pub fn shapes(&self, function: &str) -> Option<Vec<Shape<'_>>> {
        let function = self.ty(self.function(function)?)?;
        let prototype = self.ty(function.size_or_type)?;
        (0..prototype.length as usize)
            .map(|n| {
                let ty = u32_at(&self.bytes, prototype.body + n * 8 + 4)?;
                Some(self.shape(ty))
            })
            .collect()
    }

    fn shape(&self, id: u32) -> Shape<'_> {
        match self.strip(id) {
            Some((_, ty)) => match ty.kind {
                KIND_INT | KIND_ENUM | KIND_ENUM64 => Shape::Number,
                KIND_STRUCT | KIND_UNION => Shape::Structure,
                KIND_POINTER => {
                    let target = self.strip(ty.size_or_type);
                    Shape::Pointer(target.map_or("", |(_, target)| self.text(target.name)))
                }
                _ => Shape::Other,
            },
            None => Shape::Other,
        }
    }

    /// The enumerators of a named enumeration, in their order.
    #[must_use]
    pub fn enumeration(&self, name: &str) -> Option<Vec<(&str, i64)>> {
        let is_it = |ty: &&Type| {
            matches!(ty.kind, KIND_ENUM | KIND_ENUM64) && ty.length != 0 && {
                self.text(ty.name) == name
            }
        };
        let ty = self.types.iter().find(is_it)?;
        (0..ty.length as usize)
            .map(|n| self.enumerator_at(*ty, n))
            .collect()
    }

    /// Name and value of the enumerator of that index.
    pub(super) fn enumerator_at(&self, ty: Type, index: usize) -> Option<(&str, i64)> {
        let stride = if ty.kind == KIND_ENUM { 8 } else { 12 };
        let at = ty.body + index * stride;
        let name = self.text(u32_at(&self.bytes, at)?);
        let low = u32_at(&self.bytes, at + 4)?;
        let value = if ty.kind == KIND_ENUM {
            i64::from(low.cast_signed())
        } else {
            let high = u32_at(&self.bytes, at + 8)?;
            (u64::from(high) << 32 | u64::from(low)).cast_signed()
        };
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Blob;
    use super::*;

    #[test]
    fn parameters_have_shapes() {
        let mut blob = Blob::default();
        let int = blob.int("int", 4);
        let file = blob.structure("file", 8, &[("f_mode", int, 0)]);
        let constant = blob.constant(file);
        let pointer = blob.pointer(constant);
        let void = blob.pointer(0);
        blob.function_of("hook", &[pointer, int, file, void]);
        let btf = KernelBtf::parse(blob.bytes()).unwrap();
        assert_eq!(
            btf.shapes("hook").unwrap(),
            [
                Shape::Pointer("file"),
                Shape::Number,
                Shape::Structure,
                Shape::Pointer("")
            ]
        );
        assert_eq!(btf.shapes("other"), None);
    }

    #[test]
    fn enumerations_are_listed() {
        let mut blob = Blob::default();
        blob.enumeration("reason", &[("NONE", 0), ("SOME", 7)]);
        let btf = KernelBtf::parse(blob.bytes()).unwrap();
        assert_eq!(
            btf.enumeration("reason").unwrap(),
            [("NONE", 0), ("SOME", 7)]
        );
        assert_eq!(btf.enumeration("none"), None);
        assert_eq!(btf.enumerator("SOME"), Some(7));
    }
}
