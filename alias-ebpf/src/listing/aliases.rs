//! The file `aliases`: parents by ifindex, the aliases of each in the order of
//! their creation.
//!
//! The iterator's elements only serve as steps; each step prints as many lines as surely
//! fit the kernel's buffer. Between two steps any time may pass, so a step first finds the
//! place where the last one ended. An alias that exists from the beginning of a reading to
//! its end is printed exactly once.

use alias_common::header::Header;
use alias_common::limits::MAX_SLOTS;
use alias_common::listing::{ALIAS_LINE, ALIASES_HEAD};
use alias_common::names::MAX_PARENTS;
use alias_common::order::{self, Head};
use aya_ebpf::bindings::seq_file;

use super::iterator::{Call, DONE, Element, FAILED, GO_ON, STOP, Symbol, each, print, print_line};
use super::maps::{
    HEADERS, ORDERS, Orders, Place, READING, READINGS, RECORDS, Reading, Records, entry, is_live,
    owner,
};

/// Lines of a step: less than the kernel's buffer holds (`PAGE_SIZE << 3` of
/// `kernel/bpf/bpf_iter.c`).
const LINES: u32 = (4096 << 3) / ALIAS_LINE as u32 - 1;

/// Entries of the log that a step reads, including those that are no longer valid.
const ENTRIES: u32 = 1 << 14;

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
extern "C" fn aliases(element: &Element) -> i32 {
    element.call().map_or(DONE, |call| run_step(&call))
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/ksym")]
extern "C" fn aliases_ksym(symbol: &Symbol) -> i32 {
    symbol.call().map_or(DONE, |call| run_step(&call))
}

#[inline(always)]
fn run_step(call: &Call) -> i32 {
    let Call {
        session,
        step,
        output,
    } = *call;
    let Some(reading) = READING.get_ptr_mut((session % u64::from(READINGS)) as u32) else {
        return FAILED;
    };
    // SAFETY: the map's value. One call at a time uses it, unless another reading takes
    // it over, which is detected below.
    let reading = unsafe { &mut *reading };
    if step == 0 {
        reading.session = session;
        reading.from = Place::START;
    } else if owner(reading) != session {
        return FAILED;
    } else if reading.step != step {
        if reading.step + 1 != step {
            return FAILED;
        }
        reading.from = reading.to;
    }
    reading.step = step;
    reading.to = reading.from;
    reading.lines = 0;
    if step == 0 {
        print(output, ALIASES_HEAD);
        reading.lines = 1;
    }
    go_on(reading, output);
    if owner(reading) == session {
        DONE
    } else {
        FAILED
    }
}

/// Prints the next lines, of one parent.
#[inline(always)]
fn go_on(reading: &mut Reading, output: *mut seq_file) {
    if reading.to.number == Place::END {
        return;
    }
    if reading.to.number == Place::BETWEEN {
        next_parent(&mut reading.to);
    }
    let number = reading.to.number;
    let (Some(header), Some(records), Some(order)) = (
        HEADERS.get_value(number, &0),
        RECORDS.get(number),
        ORDERS.get(number),
    ) else {
        // After the last parent, or detached meanwhile.
        if reading.to.number != Place::END {
            reading.to.number = Place::BETWEEN;
        }
        return;
    };
    if header.parent_ifindex != reading.to.ifindex {
        reading.to.number = Place::BETWEEN;
        return;
    }
    let mut walk = Walk {
        reading,
        output,
        header,
        records,
        order,
    };
    each(ENTRIES, visit, &mut walk);
}

/// The parent with the next higher ifindex.
#[inline(always)]
fn next_parent(place: &mut Place) {
    let mut search = Search {
        above: place.ifindex.into(),
        best: u32::MAX.into(),
        number: Place::END.into(),
    };
    each(MAX_PARENTS, compare, &mut search);
    *place = Place {
        ifindex: search.best as u32,
        number: search.number as u32,
        ..Place::START
    };
}

/// Fields of eight bytes, as always on the stack, where the verifier wants aligned
/// accesses.
#[repr(C)]
struct Search {
    above: u64,
    best: u64,
    number: u64,
}

extern "C" fn compare(number: u64, search: &mut Search) -> i64 {
    if let Some(header) = HEADERS.get_value(number as u32, &0) {
        let ifindex = u64::from(header.parent_ifindex);
        if ifindex > search.above && ifindex < search.best {
            search.best = ifindex;
            search.number = number;
        }
    }
    GO_ON
}

/// A step on its way through one parent.
#[repr(C)]
struct Walk<'a> {
    reading: &'a mut Reading,
    output: *mut seq_file,
    header: &'a Header,
    records: &'a Records,
    order: &'a Orders,
}

/// Looks at the next entry of the log.
extern "C" fn visit(_: u64, walk: &mut Walk<'_>) -> i64 {
    if walk.reading.lines >= LINES {
        return STOP;
    }
    match next(walk) {
        Some(verdict) => verdict,
        None => {
            // The log's end: the next step begins with another parent.
            walk.reading.to.number = Place::BETWEEN;
            STOP
        }
    }
}

#[inline(always)]
fn next(walk: &mut Walk<'_>) -> Option<i64> {
    let (order, place) = (walk.order, &mut walk.reading.to);
    let head = Head(entry(order, 0)?.0);
    let at = resume(order, head, place)?;
    if at >= head.count() {
        return None;
    }
    let found = entry(order, head.place(at))?;
    place.at = at + 1;
    let record = walk.records.get(found.id())?;
    if is_live(record) && record.created == found.created() {
        let reading = &mut *walk.reading;
        // The mask changes no slot; it bounds the digits that the verifier walks.
        const { assert!(MAX_SLOTS.is_power_of_two()) };
        let slot = record.slot & (MAX_SLOTS - 1);
        reading.line.alias(&walk.header.name, slot, record);
        if !print_line(walk.output, &reading.line) {
            return Some(STOP);
        }
        reading.lines += 1;
    }
    walk.reading.to.created = found.created();
    Some(GO_ON)
}

/// Number of the first entry after this place. The log may have been copied to the other
/// half since.
#[inline(always)]
fn resume(order: &Orders, head: Head, place: &Place) -> Option<u32> {
    let at = place.at;
    let is_here = at <= head.count()
        && (at == 0 || entry(order, head.place(at - 1))?.created() == place.created);
    if is_here && (at != 0 || place.created == 0) {
        return Some(at);
    }
    order::first_after(head.count(), place.created, |at| {
        entry(order, head.place(at))
    })
}
