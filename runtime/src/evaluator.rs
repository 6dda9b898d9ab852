//! The engine in the kernel, run on events without attaching anything
//! (`BPF_PROG_TEST_RUN`).
//!
//! Owns the program that does it and what it is given. Must not know what an image or
//! an event means.

use std::os::fd::AsFd;
use std::time::Duration;

use aya::programs::{ProgramError, SocketFilter, TestRun as _};
use aya::{Ebpf, EbpfLoader, TestRunOptions, TestRunResult};
use lsmpc_abi::evaluate::{self, FAULTED, FIELDS, GivenValue, TEXT_COUNT, TEXT_SIZE, kind};
use lsmpc_abi::field::FieldId;
use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_engine::Fault;
use lsmpc_engine::host::{Event, Value};

use crate::error::{Error, Result};
use crate::store;
use crate::sys;

/// The program and its maps.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../stdlib-ebpf/prebuilt/evaluator.bpf.o"
));

/// What a run is given for a packet: as much as an Ethernet header has.
const PACKET: [u8; 14] = [0; 14];

/// The engine in the kernel.
#[derive(Debug)]
pub struct KernelEngine {
    ebpf: Ebpf,
    /// Most pages of an image.
    room: u32,
    pages: u32,
}

impl KernelEngine {
    /// Loads the program, for images of so many bytes at most. Needs the privileges for
    /// loading programs; nothing is attached, and all is gone with the value.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn load(most: usize) -> Result<Self> {
        let room = u32::try_from(most.div_ceil(PAGE_SIZE))
            .unwrap_or(u32::MAX)
            .max(1);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(evaluate::PAGES, room)
            .load(EMBEDDED)
            .map_err(|error| crate::attach::not_loaded(&error))?;
        let program = program(&mut ebpf)?;
        program
            .load()
            .map_err(|error| crate::attach::refused(evaluate::PROGRAM, error))?;
        Ok(Self {
            ebpf,
            room,
            pages: 0,
        })
    }

    /// Takes another image.
    ///
    /// # Errors
    ///
    /// When it is larger than there is room for, or cannot be written.
    pub fn set_image(&mut self, image: &[u8]) -> Result<()> {
        let pages = u32::try_from(image.len() / PAGE_SIZE).unwrap_or(u32::MAX);
        if pages > self.room {
            return Err(Error::ImageInvalid {
                reason: format!("it has {pages} pages, and there is room for {}", self.room),
            });
        }
        let image = image.get(..pages as usize * PAGE_SIZE).unwrap_or(image);
        self.write(evaluate::PAGES, |map| store::fill_all(map, image))?;
        self.pages = pages;
        Ok(())
    }

    /// The number of an event's outcome at a hook, or the fault.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the event or does not run the program.
    pub fn evaluate(
        &mut self,
        hook: u16,
        event: &Event,
    ) -> Result<std::result::Result<u32, Fault>> {
        self.give(hook, event)?;
        self.run()
    }

    /// Gives the program an event, for [`Self::time`].
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    pub fn give(&mut self, hook: u16, event: &Event) -> Result<()> {
        let mut texts = 0;
        let mut given = Vec::with_capacity(size_of::<evaluate::Given>());
        given.extend(u32::from(hook).to_ne_bytes());
        given.extend(self.pages.to_ne_bytes());
        for number in (0..=u8::MAX).take(FIELDS) {
            let value =
                FieldId::from_number(number).map_or(&Value::Unknown, |field| event.value(field));
            let value = self.value(value, &mut texts)?;
            given.extend(value.kind.to_ne_bytes());
            given.extend(value.text.to_ne_bytes());
            given.extend(value.low.to_ne_bytes());
            given.extend(value.high.to_ne_bytes());
        }
        self.write(evaluate::GIVEN, |map| sys::map_update(map, 0, &given))
    }

    /// A value; texts are written to their map, the next one as number `texts`.
    fn value(&self, value: &Value, texts: &mut u32) -> Result<GivenValue> {
        let of = |kind, low, high| GivenValue {
            kind,
            low,
            high,
            ..GivenValue::default()
        };
        Ok(match value {
            Value::None => of(kind::NONE, 0, 0),
            Value::Unknown => GivenValue::default(),
            Value::Scalar(number) => of(kind::SCALAR, *number, 0),
            Value::Bits(bits) => of(kind::BITS, bits.set, bits.unknown),
            Value::Wide(address) => {
                let low = u64::try_from(address & u128::from(u64::MAX)).unwrap_or(0);
                let high = u64::try_from(address >> 64).unwrap_or(0);
                of(kind::WIDE, low, high)
            }
            Value::Text(text) => {
                let mut room = vec![0; TEXT_SIZE];
                let place = TEXT_SIZE
                    .checked_sub(text.len())
                    .and_then(|start| room.get_mut(start..));
                let Some(place) = place else {
                    // Longer than a path can be.
                    return Ok(GivenValue::default());
                };
                place.copy_from_slice(text);
                let number = *texts;
                if number as usize >= TEXT_COUNT {
                    return Err(Error::system(
                        "giving the kernel an event",
                        std::io::Error::other(format!("it has more than {TEXT_COUNT} texts")),
                    ));
                }
                *texts += 1;
                self.write(evaluate::TEXTS, |map| sys::map_update(map, number, &room))?;
                GivenValue {
                    text: number,
                    ..of(kind::TEXT, text.len() as u64, 0)
                }
            }
        })
    }

    /// What a run takes on the event that was given, on average over so many runs, by
    /// the kernel's clock.
    ///
    /// # Errors
    ///
    /// When the kernel does not run the program.
    pub fn time(&mut self, repeat: u32) -> Result<Duration> {
        self.run_program(repeat).map(|result| result.duration)
    }

    fn run_program(&mut self, repeat: u32) -> Result<TestRunResult> {
        let options = TestRunOptions {
            data_in: Some(&PACKET),
            repeat,
            ..TestRunOptions::new()
        };
        let failed = |error: ProgramError| crate::attach::refused(evaluate::PROGRAM, error);
        program(&mut self.ebpf)?.test_run(options).map_err(failed)
    }

    fn run(&mut self) -> Result<std::result::Result<u32, Fault>> {
        let answer = self.run_program(1)?.return_value;
        match Fault::from_number(answer & !FAULTED) {
            _ if answer & FAULTED == 0 => Ok(Ok(answer)),
            Some(fault) => Ok(Err(fault)),
            None => Err(Error::ObjectInvalid {
                reason: "the evaluating program found none of its maps".into(),
            }),
        }
    }

    fn write(
        &self,
        name: &str,
        write: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> std::io::Result<()>,
    ) -> Result<()> {
        let map = self.ebpf.map(name).and_then(|map| match map {
            aya::maps::Map::Array(data) => Some(data.fd()),
            _ => None,
        });
        let map = map.ok_or_else(|| Error::ObjectInvalid {
            reason: format!("it has no array {name}"),
        })?;
        write(map.as_fd()).map_err(|source| Error::map("writing", name, source))
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut SocketFilter> {
    ebpf.program_mut(evaluate::PROGRAM)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| Error::ObjectInvalid {
            reason: format!("it has no program {}", evaluate::PROGRAM),
        })
}
