//! Loading a trivial program, to see whether its type loads at all.

use std::io;

use super::{ATTACH_LSM_MAC, address, bpf_fd, object_name};

const PROG_LOAD: libc::c_int = 5;
/// `BPF_PROG_TYPE_SOCKET_FILTER`.
const PROG_TYPE_SOCKET_FILTER: u32 = 1;
/// `BPF_PROG_TYPE_LSM`.
pub(crate) const PROG_TYPE_LSM: u32 = 29;

#[derive(Default)]
#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
    btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_count: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
}

/// `r0 = 0; exit`.
const RETURN_ZERO: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];

fn load_trivial(kind: u32, attach_type: u32, attach_btf_id: u32) -> io::Result<bool> {
    let mut log = [0_u8; 4096];
    let mut attribute = ProgramLoad {
        kind,
        instruction_count: 2,
        instructions: address(RETURN_ZERO.as_ptr()),
        license: address(c"GPL".as_ptr()),
        log_level: 1,
        log_size: 4096,
        log: address(log.as_mut_ptr()),
        name: object_name("lsmpc_trial"),
        expected_attach_type: attach_type,
        attach_btf_id,
        ..ProgramLoad::default()
    };
    match bpf_fd(PROG_LOAD, &mut attribute) {
        Ok(_) => Ok(true),
        // A word from the verifier means that it got as far as the verifier.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) && log.first() == Some(&0) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Whether a trivial program of an everyday type loads.
pub(crate) fn socket_filter_loads() -> io::Result<bool> {
    load_trivial(PROG_TYPE_SOCKET_FILTER, 0, 0)
}

/// Whether a trivial LSM program for the function of that BTF id loads. It is
/// not attached, and gone when this returns. `false`: EPERM and an empty log.
pub(crate) fn lsm_program_loads(hook_btf_id: u32) -> io::Result<bool> {
    load_trivial(PROG_TYPE_LSM, ATTACH_LSM_MAC, hook_btf_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_has_the_kernels_layout() {
        assert_eq!(std::mem::offset_of!(ProgramLoad, name), 48);
        assert_eq!(std::mem::offset_of!(ProgramLoad, expected_attach_type), 68);
        assert_eq!(std::mem::offset_of!(ProgramLoad, attach_btf_id), 108);
    }
}
