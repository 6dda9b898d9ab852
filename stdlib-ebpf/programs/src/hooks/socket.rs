//! Hooks about sockets.

use crate::{
    kind::programs,
    socket::{Sockets, addressed, alone, message, sock_to_sock, socket_to_socket, to_be_made},
};

programs! {
    /// A socket is being made.
    socket_create = "lsm/socket_create", SocketCreate(3) => Sockets, to_be_made;
    /// A socket gets its own address.
    socket_bind = "lsm/socket_bind", SocketBind(3) => Sockets, addressed;
    /// A socket gets a peer.
    socket_connect = "lsm/socket_connect", SocketConnect(3) => Sockets, addressed;
    /// A message is being sent, by whatever call.
    socket_sendmsg = "lsm/socket_sendmsg", SocketSendmsg(2) => Sockets, message;
    /// A socket is to take connections.
    socket_listen = "lsm/socket_listen", SocketListen(1) => Sockets, alone;
    /// A connection is being taken.
    socket_accept = "lsm/socket_accept", SocketAccept(1) => Sockets, alone;
    /// A unix socket connects to another one.
    unix_stream_connect = "lsm/unix_stream_connect", UnixStreamConnect(2) => Sockets, sock_to_sock;
    /// A datagram goes from a unix socket to another one.
    unix_may_send = "lsm/unix_may_send", UnixMaySend(2) => Sockets, socket_to_socket;
}
