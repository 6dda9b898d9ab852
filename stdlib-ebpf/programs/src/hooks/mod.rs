//! The hooks' programs.

mod bprm;
mod file_open;
mod mmap_file;
mod path_rename;
mod path_unlink;
mod socket;
mod task;
mod task_kill;
