//! Answers to events, by either engine.

use lsmpc_compiler::event::Event;
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::reference;
use lsmpc_compiler::tables::Tables;
use lsmpc_engine::image::{Image, ImageError};

use crate::failure::Failure;
use crate::policy::Input;

/// One of the two.
pub(crate) enum Evaluator<'a> {
    /// The image, by the code that runs in the kernel.
    Tables(Box<Tables>),
    /// The policy's meaning.
    Reference(&'a Hir),
}

impl<'a> Evaluator<'a> {
    /// The reference where it is asked for and there is a policy, else the tables.
    pub(crate) fn new(input: &'a Input, reference: bool) -> Result<Self, Failure> {
        if let (true, Input::Policy(policy)) = (reference, input)
            && let Some(hir) = &policy.hir
        {
            return Ok(Self::Reference(hir));
        }
        let image = checked(input.image()?)?;
        let tables = Tables::new(image).map_err(|error| unusable(&error))?;
        Ok(Self::Tables(Box::new(tables)))
    }

    /// The answer to one line, as one line.
    pub(crate) fn answer(&self, line: &str) -> Result<String, String> {
        let event = Event::from_json_line(line)?;
        let answer = match self {
            Self::Tables(tables) => tables.evaluate(&event).map_err(|error| error.to_string())?,
            Self::Reference(hir) => {
                reference::evaluate(hir, &event).map_err(|error| error.to_string())?
            }
        };
        Ok(answer.to_json_line())
    }
}

/// An image of which everything has been checked.
pub(crate) fn checked(bytes: &[u8]) -> Result<Image, Failure> {
    Image::from_bytes(bytes.to_vec()).map_err(|error| unusable(&error))
}

/// Why an image cannot be used.
pub(crate) fn unusable(error: &ImageError) -> Failure {
    Failure::new("LSMP4907", format!("the image cannot be used: {error}"))
        .help("compile the policy again: lsmpc build POLICY -o FILE")
}
