//! Answers to events, by any engine.

use clap::ValueEnum;
use lsmpc_compiler::event::Event;
use lsmpc_compiler::hir::Hir;
use lsmpc_compiler::reference;
use lsmpc_compiler::tables::{Tables, TablesError};
use lsmpc_engine::image::{Image, ImageError};
use lsmpc_runtime::KernelEngine;

use crate::failure::Failure;
use crate::policy::Input;

/// What evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Engine {
    /// The image, by the code that also runs in the kernel
    #[default]
    Tables,
    /// The policy's meaning, directly
    Reference,
    /// The image, in the kernel, attached to nothing; needs root
    Kernel,
}

/// One of them, ready.
pub(crate) enum Evaluator<'a> {
    /// The image, by the code that also runs in the kernel.
    Tables(Box<Tables>),
    /// The image, in the kernel.
    Kernel(Box<Tables>, Box<KernelEngine>),
    /// The policy's meaning.
    Reference(&'a Hir),
}

impl<'a> Evaluator<'a> {
    /// The tables where the reference is asked for, and there is no policy.
    pub(crate) fn new(input: &'a Input, engine: Engine) -> Result<Self, Failure> {
        if let (Engine::Reference, Input::Policy(policy)) = (engine, input)
            && let Some(hir) = &policy.hir
        {
            return Ok(Self::Reference(hir));
        }
        let bytes = input.image()?;
        let tables = Tables::new(checked(bytes)?).map_err(|error| unusable(&error))?;
        let tables = Box::new(tables);
        if engine != Engine::Kernel {
            return Ok(Self::Tables(tables));
        }
        let mut engine = KernelEngine::load(bytes.len())?;
        engine.set_image(bytes)?;
        Ok(Self::Kernel(tables, Box::new(engine)))
    }

    /// The answer to one line, as one line.
    pub(crate) fn answer(&mut self, line: &str) -> Result<String, String> {
        let event = Event::from_json_line(line)?;
        let answer = match self {
            Self::Tables(tables) => tables.evaluate(&event).map_err(|error| error.to_string())?,
            Self::Kernel(tables, engine) => {
                let values = tables.values(&event).map_err(|error| error.to_string())?;
                let number = engine
                    .evaluate(event.hook as u16, &values)
                    .map_err(|error| error.to_string())?
                    .map_err(|fault| TablesError::Fault(fault).to_string())?;
                tables.answer(number).map_err(|error| error.to_string())?
            }
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
