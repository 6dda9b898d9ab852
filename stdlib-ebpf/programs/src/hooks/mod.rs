//! The hooks' programs: for each hook its kind of object and how its arguments go.

mod file;
mod kernel;
mod mount;
mod path;
mod rename;
mod socket;
mod target;
mod task;
