//! A change to the kernel's state as data: the message and what it is about.

use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::error::NetlinkError;

/// One change, ready to be sent by a [`Conversation`](super::Conversation).
///
/// Building one touches nothing. A request that names a descriptor (a namespace)
/// must be sent while that descriptor is open.
#[derive(Debug, Clone)]
pub struct Request {
    message: Vec<u8>,
    object: String,
    operation: &'static str,
}

impl Request {
    /// `flags` are NLM_F_* beyond REQUEST and ACK, which are always set.
    pub(super) fn new(
        payload: RouteNetlinkMessage,
        flags: u16,
        object: impl Into<String>,
        operation: &'static str,
    ) -> Self {
        Self {
            message: encode(payload, NLM_F_REQUEST | NLM_F_ACK | flags),
            object: object.into(),
            operation,
        }
    }

    /// The same request with another object in its error message, for example the
    /// alias "eth0:3" instead of "link 12".
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// The whole message, with sequence number 0.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The error of this request with a positive errno value.
    pub(super) fn error(&self, errno: i32) -> NetlinkError {
        NetlinkError::new(self.object.clone(), self.operation, errno)
    }
}

/// The bytes of a message with sequence number 0.
pub(super) fn encode(payload: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut message = NetlinkMessage::from(payload);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Writes the sequence number (bytes 8 to 11 of `struct nlmsghdr`, host order).
pub(super) fn set_sequence(message: &mut [u8], sequence: u32) {
    if let Some(field) = message.get_mut(8..12) {
        field.copy_from_slice(&sequence.to_ne_bytes());
    }
}
