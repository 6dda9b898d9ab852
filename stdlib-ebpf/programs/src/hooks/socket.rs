//! `socket_bind(sock, address, addrlen)` and `socket_connect(…)`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use lsmpc_abi::{Presence, field::FieldId, hook::HookId};

use crate::{
    event::{Object, decide, functions},
    maps::Slot,
    socket::{self, Peer},
};

struct Bind;
struct Connect;

#[inline(always)]
fn peer(slot: &Slot, unspec_is_inet: bool) -> Peer {
    Peer {
        socket: slot.arguments[0],
        address: slot.arguments[1],
        length: slot.arguments[2] as u32,
        unspec_is_inet,
    }
}

impl Object for Bind {
    const HOOK: HookId = HookId::SocketBind;
    const VALUES: &'static [FieldId] = &socket::VALUES;
    const TEXTS: &'static [FieldId] = &[FieldId::UnixPath];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        peer(slot, true).value(field, &mut slot.work);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        socket::text(peer(slot, true), field, slot)
    }
}

impl Object for Connect {
    const HOOK: HookId = HookId::SocketConnect;
    const VALUES: &'static [FieldId] = &socket::VALUES;
    const TEXTS: &'static [FieldId] = &[FieldId::UnixPath];

    #[inline(always)]
    fn value(slot: &mut Slot, field: u8) {
        peer(slot, false).value(field, &mut slot.work);
    }

    #[inline(always)]
    fn text(slot: &mut Slot, field: u8) -> Presence {
        socket::text(peer(slot, false), field, slot)
    }
}

functions!(
    Bind,
    socket_bind_value,
    socket_bind_text,
    socket_bind_record
);
functions!(
    Connect,
    socket_connect_value,
    socket_connect_text,
    socket_connect_record
);

/// A socket gets its own address.
#[lsm(hook = "socket_bind")]
fn socket_bind(ctx: LsmContext) -> i32 {
    decide::<Bind, 3>(&ctx)
}

/// A socket gets a peer.
#[lsm(hook = "socket_connect")]
fn socket_connect(ctx: LsmContext) -> i32 {
    decide::<Connect, 3>(&ctx)
}
