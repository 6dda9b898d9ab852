//! Events over an image, on the host: the same answers as the reference, by the
//! tables that the kernel reads.
//!
//! Owns the way from an [`Event`] to the engine's values and from an outcome back
//! to an [`Answer`]. It must not know policies.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::{Bits, Masks};
use lsmpc_engine::image::{Image, ImageError};
use lsmpc_engine::report::{Report, StickyReport, Verdict as ReportVerdict};
use lsmpc_engine::{Fault, decide, decide_from, host, sticky};

use crate::event::{Answer, Event, FieldValue, Value, Verdict};

/// An image ready to answer events.
#[derive(Debug, Clone)]
pub struct Tables {
    image: Image,
    report: Report<'static>,
}

/// Why an event has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// The event names an inherited scope that the policy does not have.
    #[error("unknown scope `{0}`: the policy has no scope of that name with `inherit`")]
    UnknownScope(String),
    /// The image is at fault.
    #[error("the tables cannot be evaluated: {0:?}")]
    Fault(Fault),
    /// The report does not know the outcome.
    #[error("the report lacks outcome {0}")]
    Outcome(u32),
}

impl Tables {
    /// Takes a checked image.
    ///
    /// # Errors
    ///
    /// [`ImageError::Report`], if its report cannot be read.
    pub fn new(image: Image) -> Result<Self, ImageError> {
        let report = image.report()?;
        Ok(Self { image, report })
    }

    /// The image.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The image's report.
    #[must_use]
    pub fn report(&self) -> &Report<'static> {
        &self.report
    }

    /// Answers an event.
    ///
    /// # Errors
    ///
    /// [`TablesError`]
    pub fn evaluate(&self, event: &Event) -> Result<Answer, TablesError> {
        self.evaluate_numbered(event).map(|(_, answer)| answer)
    }

    /// Answers an event, with the outcome's number.
    ///
    /// # Errors
    ///
    /// [`TablesError`]
    pub fn evaluate_numbered(&self, event: &Event) -> Result<(u32, Answer), TablesError> {
        let mut source = self.values(event)?;
        let number =
            decide(&self.image, event.hook as u16, &mut source).map_err(TablesError::Fault)?;
        Ok((number, self.answer(number)?))
    }

    /// The class of an event's path at the hook's first look at it, and the same as the
    /// programs find it from what they remember of the directory, and of the root; `None`
    /// where they would not.
    ///
    /// # Errors
    ///
    /// [`TablesError`]
    pub fn by_directory(&self, event: &Event) -> Result<Option<[u32; 3]>, TablesError> {
        let mut source = self.values(event)?;
        decide(&self.image, event.hook as u16, &mut source)
            .and_then(|_| source.by_directory(&self.image))
            .map_err(TablesError::Fault)
    }

    /// What the subject's diagram says of an event's subject, if anything sticks to
    /// tasks.
    ///
    /// # Errors
    ///
    /// [`TablesError`]
    pub fn subject(&self, event: &Event) -> Result<Option<Masks>, TablesError> {
        if self.report.sticky.is_empty() {
            return Ok(None);
        }
        let mut source = self.values(event)?;
        self.masks(&mut source).map(Some)
    }

    fn masks(&self, source: &mut host::Event) -> Result<Masks, TablesError> {
        sticky::subject(&self.image)
            .and_then(|root| decide_from(&self.image, root, source))
            .and_then(|number| sticky::masks(&self.image, number))
            .map_err(TablesError::Fault)
    }

    /// The event as the engine takes it: its values, and what sticks to its subject.
    ///
    /// # Errors
    ///
    /// [`TablesError`]
    pub fn values(&self, event: &Event) -> Result<host::Event, TablesError> {
        let mut source = host::Event::new();
        for (field, value) in &event.values {
            source.set(*field, convert(*field, value));
        }
        source.set(FieldId::Sticky, host::Value::Bits(self.sticky(event)?));
        Ok(source)
    }

    /// The bits that stick to the event's subject.
    fn sticky(&self, event: &Event) -> Result<Bits, TablesError> {
        let mut bits = Bits::default();
        for name in &event.inherited {
            let scope = StickyReport::Scope(name.clone());
            let bit = self.report.sticky.iter().position(|one| *one == scope);
            let bit = bit.ok_or_else(|| TablesError::UnknownScope(name.clone()))?;
            bits.set |= 1_u64.checked_shl(bit as u32).unwrap_or(0);
        }
        let ancestors = self
            .report
            .sticky
            .iter()
            .enumerate()
            .filter(|(_, one)| matches!(one, StickyReport::Ancestor(_)))
            .fold(0, |all, (bit, _)| {
                all | 1_u64.checked_shl(bit as u32).unwrap_or(0)
            });
        let unknown = Bits {
            set: 0,
            unknown: ancestors,
        };
        match event.get(FieldId::AncestorExe) {
            _ if ancestors == 0 => {}
            FieldValue::None => {}
            FieldValue::Known(Value::List(list)) => {
                for ancestor in list {
                    let passed = match ancestor {
                        Some(program) => self.program(program)?,
                        None => unknown,
                    };
                    bits = sticky::inherited(bits, passed);
                }
            }
            FieldValue::Unknown | FieldValue::Known(_) => {
                bits = sticky::inherited(bits, unknown);
            }
        }
        Ok(bits)
    }

    /// The tests of `ancestor.exe` that a program passes.
    fn program(&self, path: &[u8]) -> Result<Bits, TablesError> {
        let mut source = host::Event::new().with(FieldId::Exe, host::Value::Text(path.to_vec()));
        Ok(self.masks(&mut source)?.program)
    }

    /// What an outcome means.
    ///
    /// # Errors
    ///
    /// [`TablesError`], if there is none of that number.
    pub fn answer(&self, number: u32) -> Result<Answer, TablesError> {
        let outcome = self.image.outcome(number).map_err(TablesError::Fault)?;
        let report = self
            .report
            .outcomes
            .get(number as usize)
            .ok_or(TablesError::Outcome(number))?;
        Ok(Answer {
            verdict: match report.verdict {
                ReportVerdict::Allow => Verdict::Allow,
                ReportVerdict::Deny => Verdict::Deny,
                ReportVerdict::Kill => Verdict::Kill,
            },
            errno: (outcome.ret != 0)
                .then(|| u16::try_from(outcome.ret.unsigned_abs()).unwrap_or(u16::MAX)),
            record: outcome.flags & lsmpc_abi::image::OUTCOME_RECORD != 0,
            unknown: report.unknown,
            rules: self
                .report
                .rule_ids(number)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        })
    }
}

fn convert(field: FieldId, value: &FieldValue) -> host::Value {
    match value {
        FieldValue::None => host::Value::None,
        FieldValue::Unknown | FieldValue::Known(Value::List(_)) => host::Value::Unknown,
        FieldValue::Known(Value::Int(number)) => host::Value::Scalar(*number),
        FieldValue::Known(Value::Address(bits)) => host::Value::Wide(*bits),
        FieldValue::Known(Value::Bytes(bytes)) => {
            debug_assert!(matches!(
                catalogue::field(field).ty,
                catalogue::FieldType::Path | catalogue::FieldType::Name
            ));
            host::Value::Text(bytes.clone())
        }
    }
}
