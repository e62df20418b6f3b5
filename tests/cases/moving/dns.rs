//! A question and its answer as RFC 1035 has them on the wire, and the server
//! that is asked: dnsmasq, which says which host it runs on.

use alias_tests::{Background, Namespace};

/// The name that every server knows.
const NAME: [&str; 2] = ["where", "example"];
/// Types and classes of RFC 1035, 3.2.
const TXT: u16 = 16;
const IN: u16 = 1;
const HEADER: usize = 12;

/// The question which host answers; `id` comes back with the answer.
pub(super) fn question(id: u16) -> Vec<u8> {
    // Recursion desired, one question.
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in NAME {
        message.push(label.len() as u8);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(TXT.to_be_bytes());
    message.extend(IN.to_be_bytes());
    message
}

/// The id of an answer and the host it names; `None` when it is no such answer.
pub(super) fn answer(message: &[u8]) -> Option<(u16, String)> {
    let number = |offset: usize| {
        let field = message.get(offset..)?.first_chunk()?;
        Some(u16::from_be_bytes(*field))
    };
    let (id, flags, answers) = (number(0)?, number(2)?, number(6)?);
    // A response, of code 0.
    if flags & 0x800f != 0x8000 || answers != 1 {
        return None;
    }
    // The question is repeated; the answer's name points to it (RFC 1035, 4.1.4).
    let start = question(id).len();
    if number(start)? != 0xc000 | HEADER as u16 || number(start + 2)? != TXT {
        return None;
    }
    // Name, type, class, time to live, length; then one string behind its own.
    let text = message.get(start + 12..)?;
    let (length, text) = text.split_first()?;
    let text = text.get(..usize::from(*length))?;
    Some((id, String::from_utf8(text.to_vec()).ok()?))
}

/// Starts the server of a host. It listens on every address that the host has or
/// will have, as a name server does whose address may move to it.
pub(super) fn serve(host: &Namespace, name: &str) -> Background {
    let record = format!("--txt-record={},{name}", NAME.join("."));
    host.spawn(&format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv --no-poll \
         --pid-file= --user=root --log-facility=/dev/null {record}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_others_are_not() {
        let mut message = question(7);
        message[2..4].copy_from_slice(&[0x85, 0x80]);
        message[7] = 1;
        message.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 7, 6]);
        message.extend(b"host-a");
        assert_eq!(answer(&message), Some((7, "host-a".to_owned())));
        assert_eq!(answer(&message[..message.len() - 1]), None);
        assert_eq!(answer(&question(7)), None);
        let mut refused = message.clone();
        refused[3] |= 5;
        assert_eq!(answer(&refused), None);
    }
}
