//! The order in front of a frame.

use alias_common::record::Steer;
use alias_ebpf::metadata::Metadata;
use alias_ebpf::network::Class;

const PORTS: [u32; 6] = [0, 1, 7, 0x8000_0000, 0xa11a_5000, u32::MAX];
/// The parent's.
const SECRET: u64 = 0x0123_4567_89ab_cdef;
const CLASSES: [Class; 3] = [Class::Data, Class::Neighbor, Class::Answer];

#[test]
fn every_order_is_read_back() {
    for port in PORTS {
        for tags in 0..16 {
            for flags in 0..32 {
                let order = Metadata::of(port, tags, flags);
                assert_eq!(
                    Metadata::from_words(order.to_words(SECRET), SECRET),
                    Some(order)
                );
            }
        }
    }
}

#[test]
fn an_order_says_what_the_steer_word_and_the_frame_say() {
    for port in PORTS {
        for slot in [0, 1, 0xff_ffff] {
            let flags = [0, Metadata::NEIGHBOR, Metadata::NEIGHBOR | Metadata::ANSWER];
            for (class, flag) in CLASSES.into_iter().zip(flags) {
                for peer in [0, Steer::PEER] {
                    for tags in 0..=2 {
                        let order = Metadata::new(Steer::new(port, slot, peer), class, tags);
                        let expected = Metadata::of(port, tags, peer | flag);
                        assert_eq!(order, expected);
                        assert_eq!(
                            Metadata::from_words(order.to_words(SECRET), SECRET),
                            Some(expected)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_others_wrote_is_no_order() {
    let words @ [secret, order] = Metadata::of(7, 1, 1).to_words(SECRET);
    for bit in 0..64 {
        assert_eq!(
            Metadata::from_words([secret ^ (1 << bit), order], SECRET),
            None
        );
        // Another parent's secret differs somewhere.
        assert_eq!(Metadata::from_words(words, SECRET ^ (1 << bit)), None);
    }
    for words in [[0, 0], [u64::MAX, u64::MAX], [order, secret]] {
        assert_eq!(Metadata::from_words(words, SECRET), None, "{words:x?}");
    }
}
