//! What the link says to everybody, as a part of `alias_deliver`: copies for the devices
//! that must hear it. The frame goes on as it is, to the alias it is for or to the parent's
//! stack.
//!
//! Only frames to a group, and ARP, come here. Each step is a global function, which the
//! verifier walks once by itself.

use alias_common::hearer::{CURSOR, Head, Hearer, MAX_COPIES, MAX_HEARERS, Sound};
use alias_common::key::Vlan;
use alias_common::word::Verdict;
use alias_ebpf::everybody::{Cast, news};
use alias_ebpf::link::{self, HEADER_LEN, TAG_LEN};
use alias_ebpf::packet::{part, u16_of};
use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_clone_redirect, bpf_skb_vlan_pop, bpf_skb_vlan_push};
use aya_ebpf::programs::TcContext;

use super::count::Row;
use super::lookup::{Copied, Table, only_value};
use super::maps::HEARERS;
use super::{skb, tc_lookup};

/// `PACKET_HOST` and its like of `linux/if_packet.h`.
const HOST: u32 = 0;
const BROADCAST: u32 = 1;
const MULTICAST: u32 = 2;

/// `ETH_P_ARP` and `ETH_P_8021Q`, as `__sk_buff::protocol` has them. Of two tags the inner
/// one is still in the frame here.
const ARP: u32 = 0x0806u16.to_be() as u32;
const TAGGED: u32 = 0x8100u16.to_be() as u32;

/// What became of a copy, in numbers that can be added up: it was made, or the kernel
/// refused. Neither where there need be none.
const COPIED: u64 = 1;
const REFUSED: u64 = 1 << 32;

/// Beside the ifindex of a device that gets the frame anyway: nor do those in the parent's
/// own namespace get it, which has been asked already, and would answer there too.
const NOT_BESIDE: u64 = 1 << 32;

/// Whether a frame that is for no alias may be for everybody. Answers for nearly every
/// frame by two fields of its context.
#[inline(always)]
pub fn concerns(ctx: &TcContext) -> bool {
    let skb = skb::raw(ctx);
    match skb.pkt_type {
        BROADCAST | MULTICAST => true,
        HOST => skb.protocol == ARP || skb.protocol == TAGGED,
        _ => false,
    }
}

/// Makes the copies. `port`: where the frame itself is delivered, 0 for nowhere. False
/// when the frame's tags could not be put back: it is not what it was any more.
#[inline(always)]
pub fn tell(ctx: &TcContext, port: u32) -> bool {
    tell_everybody(ctx.skb.skb, port) == 0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tell_everybody(skb: *mut __sk_buff, port: u32) -> i32 {
    let ctx = TcContext::new(skb);
    let cast = match skb::raw(&ctx).pkt_type {
        HOST => Cast::Uni,
        BROADCAST => Cast::Broad,
        _ => Cast::Multi,
    };
    let packet = skb::packet(&ctx);
    let Ok(link) = link::parse(packet, skb::stripped_vlan(&ctx)) else {
        return 0;
    };
    let Some(table) = Table::own() else { return 0 };
    let news = news(packet, link, cast);
    // From here on there is no pointer into the packet, and the verifier does not know by
    // which way it came here.
    let nothing = table.nothing();
    let settled = |value: u64| only_value(value.wrapping_add(nothing));
    let tags = link.tags() + u8::from(link.stripped);
    let tagged = settled(link.vlan.packed() | u64::from(tags) << 24);
    let (vlan, tags) = (Vlan::from_packed(tagged), (tagged >> 24) as u8);
    let sound = settled(news.sound.map_or(0, Sound::number));
    let claimed = settled(u64::from(news.claimed)) as u32;
    let asks = settled(u64::from(news.asks)) != 0;
    let announces = sound == Sound::Announcement.number();
    // Who hears an announcement hears it once.
    let owner = match announces {
        true => 0,
        false => owner_of(table, claimed, vlan, port),
    };
    // What one alias alone was asked or told, it has.
    let (first, end) = match sound != 0 && (port == 0 || announces) {
        true => range(vlan, sound),
        false => (0, 0),
    };
    if owner == 0 && first == end {
        return 0;
    }
    let Some(removed) = Tags::remove(&ctx, tags) else {
        return 1;
    };
    if owner != 0 {
        let made = send(&ctx, owner);
        count(made % REFUSED, made / REFUSED);
    }
    if first != end {
        let except = u64::from(port) | if asks { NOT_BESIDE } else { 0 };
        tell_range(skb, u64::from(first) << 32 | u64::from(end), except);
    }
    i32::from(!removed.put_back(&ctx))
}

/// Port of the alias device whose address somebody else claims; 0 for none, or where the
/// frame goes anyway.
#[inline(always)]
fn owner_of(table: Table, claimed: u32, vlan: Vlan, port: u32) -> u32 {
    if claimed == 0 {
        return 0;
    }
    let Some(hit) = tc_lookup::find_any(Copied::V4(claimed), vlan) else {
        return 0;
    };
    if hit.word.verdict_number() != Verdict::Device as u8 {
        return 0;
    }
    match table.steer(hit).target() {
        owner if owner == port => 0,
        owner => owner,
    }
}

/// Where in the map those who hear a sound stand: the first, and the one past the last.
#[inline(always)]
fn range(vlan: Vlan, sound: u64) -> (u32, u32) {
    let (first, end) = Hearer::range(vlan, sound);
    (first_from(first), first_from(end))
}

fn head() -> Head {
    // SAFETY: the map's value, eight aligned bytes, by one load.
    Head(
        HEARERS
            .get_ptr(0)
            .map_or(0, |head| unsafe { head.read_volatile() }),
    )
}

/// The hearer in a place; one that nobody is below for a place that is not there.
#[inline(always)]
fn hearer(at: u32) -> Hearer {
    // SAFETY: as above.
    Hearer(
        HEARERS
            .get_ptr(at)
            .map_or(u64::MAX, |entry| unsafe { entry.read_volatile() }),
    )
}

/// The place of the first hearer that is not below this.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn first_from(least: u64) -> u32 {
    const STEPS: u32 = MAX_HEARERS.ilog2() + 1;
    let head = head();
    let (mut at, mut len) = (head.begin(), head.len());
    for _ in 0..STEPS {
        if len == 0 {
            break;
        }
        let half = len / 2;
        if hearer(at + half).0 < least {
            at += half + 1;
            len -= half + 1;
        } else {
            len = half;
        }
    }
    at
}

/// Copies for a range of hearers, whose ends are the halves of one number. Where there are
/// too many, the next frame begins with one that this had none for.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tell_range(skb: *mut __sk_buff, range: u64, except: u64) -> i32 {
    let len = (range as u32).wrapping_sub((range >> 32) as u32);
    let mut start = 0;
    if len > MAX_COPIES
        && let Some(cursor) = HEARERS.get_ptr_mut(CURSOR)
    {
        // SAFETY: the map's value, eight aligned bytes. Two CPUs may begin alike: then the
        // rest waits for the next frame.
        unsafe {
            start = (*cursor % u64::from(len)) as u32;
            *cursor += u64::from(MAX_COPIES);
        }
    }
    let mut made = 0;
    for n in 0..MAX_COPIES / AT_ONCE {
        let told = n * AT_ONCE;
        if told >= len {
            break;
        }
        made += tell_some(skb, range, start + told, len - told, except);
    }
    let mut unheard = made / REFUSED;
    if len > MAX_COPIES {
        unheard += u64::from(len - MAX_COPIES);
    }
    count(made % REFUSED, unheard);
    0
}

#[inline(always)]
fn count(heard: u64, unheard: u64) {
    if let Some(row) = Row::own() {
        row.parent().heard += heard;
        row.parent().unheard += unheard;
    }
}

/// Copies for so many hearers, from this one on. A loop in a loop, each a function of its
/// own: the verifier walks the sum of both and not the product.
const AT_ONCE: u32 = 32;
const _: () = assert!(MAX_COPIES.is_multiple_of(AT_ONCE));

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tell_some(
    skb: *mut __sk_buff,
    range: u64,
    from: u32,
    left: u32,
    except: u64,
) -> u64 {
    let mut made = 0;
    for n in 0..AT_ONCE {
        if n >= left {
            break;
        }
        made += tell_one(skb, range, from + n, except);
    }
    made
}

/// A copy for one hearer of a range; past its end it begins again.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tell_one(skb: *mut __sk_buff, range: u64, number: u32, except: u64) -> u64 {
    let (first, end) = ((range >> 32) as u32, range as u32);
    let mut at = first + number;
    if at >= end {
        at -= end.wrapping_sub(first);
    }
    let hearer = hearer(at);
    if hearer.ifindex() == except as u32 || (except & NOT_BESIDE != 0 && hearer.is_beside()) {
        return 0;
    }
    send(&TcContext::new(skb), hearer.ifindex())
}

#[inline(always)]
fn send(ctx: &TcContext, ifindex: u32) -> u64 {
    // SAFETY: the program's own context; no packet pointer is live.
    match unsafe { bpf_clone_redirect(ctx.skb.skb, ifindex, 0) } {
        0 => COPIED,
        _ => REFUSED,
    }
}

/// Tags that were taken off, as they were: protocol and TCI, the outer one first.
struct Tags {
    tags: [(u32, u32); 2],
    len: u8,
}

impl Tags {
    /// Takes `len` tags off.
    #[inline(always)]
    fn remove(ctx: &TcContext, len: u8) -> Option<Tags> {
        let mut removed = Tags {
            tags: [(0, 0); 2],
            len,
        };
        for (n, tag) in removed.tags.iter_mut().enumerate() {
            if n < len as usize {
                *tag = Tags::outer(ctx)?;
                // SAFETY: the program's own context; no packet pointer is live.
                if unsafe { bpf_skb_vlan_pop(ctx.skb.skb) } != 0 {
                    return None;
                }
            }
        }
        Some(removed)
    }

    /// The outermost: beside the frame, where the kernel puts it on its way here, or in it.
    #[inline(always)]
    fn outer(ctx: &TcContext) -> Option<(u32, u32)> {
        let skb = skb::raw(ctx);
        if skb.vlan_present != 0 {
            return Some((skb.vlan_proto, skb.vlan_tci));
        }
        let tag = skb::packet(ctx).window::<TAG_LEN>(HEADER_LEN - 2).ok()?;
        let (kind, tci) = (part::<0, 2, _>(tag), part::<2, 2, _>(tag));
        Some((u16_of(kind).into(), u16::from_be(u16_of(tci)).into()))
    }

    /// Puts them on again.
    #[inline(always)]
    fn put_back(self, ctx: &TcContext) -> bool {
        let mut done = true;
        for n in [1, 0] {
            let (kind, tci) = self.tags[n];
            if n < self.len as usize {
                // SAFETY: as above.
                done &= unsafe { bpf_skb_vlan_push(ctx.skb.skb, kind as u16, tci as u16) } == 0;
            }
        }
        done
    }
}
