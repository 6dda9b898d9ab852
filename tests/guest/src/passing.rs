//! Descriptors that one process passes to another over a unix socket.

use std::io::{Error, Result};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Sends a descriptor with a byte.
pub(crate) fn send(socket: &UnixStream, descriptor: impl AsFd) -> Result<()> {
    let mut byte = *b"x";
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    let mut control = [0u64; 3];
    // SAFETY: all bytes zero are an empty message; the parts outlive the call, and the
    // control buffer has room for a header and one descriptor.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header)
            .cast::<i32>()
            .write_unaligned(descriptor.as_fd().as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)
    };
    if sent < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Receives a descriptor; none if the message came without it.
pub(crate) fn receive(socket: &UnixStream) -> Result<Option<OwnedFd>> {
    let mut byte = [0u8];
    let mut control = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: all bytes zero are an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: a message whose parts are live; what the kernel put behind its header is a
    // descriptor made for this process.
    unsafe {
        if libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) < 0 {
            return Err(Error::last_os_error());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Ok(None);
        }
        let descriptor = libc::CMSG_DATA(header).cast::<i32>().read_unaligned();
        Ok(Some(OwnedFd::from_raw_fd(descriptor)))
    }
}
