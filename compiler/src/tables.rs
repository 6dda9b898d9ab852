//! Events over an image, on the host: the same answers as the reference, by the
//! tables that the kernel reads.
//!
//! Owns the way from an [`Event`] to the engine's values and from an outcome back
//! to an [`Answer`]. It must not know policies.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_engine::image::{Image, ImageError};
use lsmpc_engine::report::{Report, Verdict as ReportVerdict};
use lsmpc_engine::{Fault, decide, host};

use crate::event::{Answer, Event, FieldValue, Value, Verdict};

/// An image ready to answer events.
#[derive(Debug, Clone)]
pub struct Tables {
    image: Image,
    report: Report,
}

/// Why an event has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// Tables know no inherited scopes.
    #[error("unknown scope `{0}`: the tables hold no inherited scopes")]
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
    pub fn report(&self) -> &Report {
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
        if let Some(scope) = event.inherited.first() {
            return Err(TablesError::UnknownScope(scope.clone()));
        }
        let mut source = host::Event::new();
        for (field, value) in &event.values {
            source.set(*field, convert(*field, value));
        }
        let number =
            decide(&self.image, event.hook as u16, &mut source).map_err(TablesError::Fault)?;
        Ok((number, self.answer(number)?))
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
