//! A ring of io_uring(7), by hand: one request at a time.

use std::os::fd::{AsRawFd, OwnedFd};

use super::files::owned;
use super::{Failed, check};

const RINGS: usize = 4096;

/// A ring of four entries.
pub(super) struct Ring {
    ring: OwnedFd,
    /// `struct io_uring_params`, as the kernel filled it in.
    parameters: [u32; 30],
    rings: Mapped,
    entries: Mapped,
}

/// `struct io_uring_sqe`, as far as requests here use it.
#[repr(C)]
#[derive(Default)]
pub(super) struct Entry {
    pub(super) opcode: u8,
    pub(super) flags: u8,
    pub(super) priority: u16,
    pub(super) file: i32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) length: u32,
    pub(super) operation_flags: u32,
    pub(super) user_data: u64,
    pub(super) buffer: u16,
    pub(super) personality: u16,
    pub(super) rest: [u32; 5],
}

const _: () = assert!(size_of::<Entry>() == 64);

/// A page of the ring's memory.
struct Mapped(*mut u8);

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped by `Mapped::new`, used by its owner only.
        unsafe { libc::munmap(self.0.cast(), RINGS) };
    }
}

impl Mapped {
    fn new(ring: &OwnedFd, at: libc::off_t) -> Result<Self, Failed> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                RINGS,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                ring.as_raw_fd(),
                at,
            )
        };
        if address == libc::MAP_FAILED {
            check(-1, "mmap")?;
        }
        Ok(Self(address.cast()))
    }
}

impl Ring {
    /// A kernel thread takes the requests.
    pub(super) const SQPOLL: u32 = 1 << 1;
    /// Flag of an entry: a worker thread does it.
    pub(super) const ASYNC: u8 = 1 << 4;

    pub(super) fn new(flags: u32) -> Result<Self, Failed> {
        const ENTRIES_AT: libc::off_t = 0x1000_0000;
        let mut parameters = [0u32; 30];
        parameters[2] = flags;
        // SAFETY: `struct io_uring_params` has 120 bytes.
        let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) };
        check(ring, "io_uring_setup")?;
        let ring = owned(ring);
        Ok(Self {
            rings: Mapped::new(&ring, 0)?,
            entries: Mapped::new(&ring, ENTRIES_AT)?,
            ring,
            parameters,
        })
    }

    /// Registers this task's credentials.
    pub(super) fn personality(&self) -> Result<u16, Failed> {
        const REGISTER_PERSONALITY: u32 = 9;
        // SAFETY: no memory.
        let personality = unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.ring.as_raw_fd(),
                REGISTER_PERSONALITY,
                std::ptr::null::<u8>(),
                0,
            )
        };
        check(personality, "io_uring_register")?;
        Ok(personality as u16)
    }

    /// Submits one request and waits for its result. May be called once.
    pub(super) fn submit(&self, entry: &Entry) -> Result<i32, Failed> {
        const GETEVENTS: u32 = 1;
        const SQ_WAKEUP: u32 = 2;
        // `struct io_sqring_offsets` begins at word 10, `io_cqring_offsets` at 20.
        let [sq_tail, sq_array] = [11, 16].map(|at| self.parameters[at] as usize);
        let cqes = self.parameters[25] as usize;
        // SAFETY: offsets that the kernel gave, inside the mappings; nothing else
        // uses the ring.
        let result = unsafe {
            self.entries
                .0
                .copy_from_nonoverlapping((&raw const *entry).cast(), size_of::<Entry>());
            self.rings.0.add(sq_array).cast::<u32>().write(0);
            let tail = self.rings.0.add(sq_tail).cast::<u32>();
            tail.write_volatile(tail.read() + 1);
            let entered = libc::syscall(
                libc::SYS_io_uring_enter,
                self.ring.as_raw_fd(),
                1,
                1,
                GETEVENTS | SQ_WAKEUP,
                std::ptr::null::<u8>(),
                0,
            );
            check(entered, "io_uring_enter")?;
            self.rings.0.add(cqes + 8).cast::<i32>().read_volatile()
        };
        if result < 0 {
            return Err(Failed {
                at: "io_uring",
                errno: -result,
            });
        }
        Ok(result)
    }
}
