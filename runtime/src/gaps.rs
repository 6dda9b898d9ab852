//! Members of kernel structures that this kernel lacks, and what cannot be had without
//! them: single fields, or programs.
//!
//! Owns finding both. Must not know what a policy asks for.

use std::collections::BTreeMap;

use lsmpc_abi::field::FieldId;
use lsmpc_abi::kernel::{OFFSETS, Offset};

use crate::btf::KernelBtf;
use crate::error::Result;
use crate::object::ProgramObject;
use crate::offsets;
use crate::support::{Reason, TRACKERS};

/// What this kernel lacks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps {
    /// Members that it does not have.
    pub(crate) missing: Vec<&'static Offset>,
    /// Programs that cannot do without one of them, with the first one each.
    without: BTreeMap<String, &'static Offset>,
}

impl Gaps {
    /// Compares what the programs read with the kernel's types.
    ///
    /// # Errors
    ///
    /// When the object's programs cannot be followed.
    pub(crate) fn find(kernel: &KernelBtf, object: &ProgramObject) -> Result<Self> {
        let missing: Vec<&Offset> = OFFSETS
            .iter()
            .filter(|offset| offsets::resolve(kernel, offset).is_none())
            .collect();
        let needed = |offset: &&Offset| offset.tells.is_empty();
        let mut without = BTreeMap::new();
        if missing.iter().any(needed) {
            for (program, names) in object.constants()? {
                let lacks = missing
                    .iter()
                    .copied()
                    .filter(needed)
                    .find(|offset| names.contains(offset.global));
                without.extend(lacks.map(|offset| (program, offset)));
            }
        }
        Ok(Self { missing, without })
    }

    /// Why a program cannot be loaded.
    pub(crate) fn program(&self, object: &ProgramObject, name: &str) -> Option<Reason> {
        if !object.has_program(name) {
            return Some(Reason::NoProgram);
        }
        self.without.get(name).copied().map(Reason::NoMember)
    }

    /// Why a field cannot be read.
    pub(crate) fn field(&self, field: FieldId) -> Option<Reason> {
        let lacks = |offset: &&&Offset| offset.tells.contains(&field);
        self.missing
            .iter()
            .find(lacks)
            .copied()
            .map(Reason::NoMember)
    }

    /// What the programs lack that every policy needs.
    pub(crate) fn fatal(&self) -> Vec<String> {
        let needed = |name: &&str| self.without.get(*name).copied();
        let mut members: Vec<String> = TRACKERS.iter().filter_map(needed).map(member).collect();
        members.dedup();
        members
    }
}

/// A member as `struct.member`, or `struct.older|newer`.
pub(crate) fn member(offset: &Offset) -> String {
    format!("{}.{}", offset.structure, offset.path.join("."))
}
