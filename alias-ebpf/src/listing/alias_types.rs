//! The file `alias_types`: the rows of the map `types`, and how many aliases of
//! each there are. They are counted when the file is read.

use alias_common::listing::TYPES_HEAD;
use alias_common::names::MAX_PARENTS;
use alias_common::order::Head;

use super::iterator::{Call, DONE, Element, FAILED, GO_ON, Symbol, each, print, print_line};
use super::maps::{
    ORDERS, Orders, READING, READINGS, RECORDS, Reading, Records, TYPES, entry, is_live, owner,
};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
extern "C" fn alias_types(element: &Element) -> i32 {
    element.call().map_or(DONE, |call| row(&call))
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/ksym")]
extern "C" fn alias_types_ksym(symbol: &Symbol) -> i32 {
    symbol.call().map_or(DONE, |call| row(&call))
}

/// One step prints one row.
#[inline(always)]
fn row(call: &Call) -> i32 {
    let Call {
        session,
        step,
        output,
    } = *call;
    if step == 0 {
        print(output, TYPES_HEAD);
    }
    let Some(row) = TYPES.get(step) else {
        return DONE;
    };
    // SAFETY: a live field. The controller may store it while we read.
    let family = unsafe { (&raw const row.family).read_volatile() };
    if family == 0 {
        return DONE;
    }
    let Some(reading) = READING.get_ptr_mut((session % u64::from(READINGS)) as u32) else {
        return FAILED;
    };
    // SAFETY: the map's value, used as in `aliases`.
    let reading = unsafe { &mut *reading };
    reading.session = session;
    reading.attached = 0;
    let mut count = Count {
        family: family.into(),
        reading,
    };
    each(MAX_PARENTS, count_parent, &mut count);
    let reading = count.reading;
    let attached = reading.attached as u32;
    reading.line.alias_type(row, attached);
    print_line(output, &reading.line);
    if owner(reading) == session {
        DONE
    } else {
        FAILED
    }
}

#[repr(C)]
struct Count<'a> {
    family: u64,
    reading: &'a mut Reading,
}

/// Most iterations of one [`bpf_loop`](aya_ebpf::helpers::generated::bpf_loop).
const MAX_LOOPS: u32 = 1 << 23;

extern "C" fn count_parent(number: u64, count: &mut Count<'_>) -> i64 {
    let number = number as u32;
    let (Some(records), Some(order)) = (RECORDS.get(number), ORDERS.get(number)) else {
        return GO_ON;
    };
    let Some(head) = entry(order, 0) else {
        return GO_ON;
    };
    let head = Head(head.0);
    let mut entries = Entries {
        from: 0,
        head,
        family: count.family,
        reading: count.reading,
        records,
        order,
    };
    each(head.count().min(MAX_LOOPS), count_entry, &mut entries);
    if head.count() > MAX_LOOPS {
        entries.from = u64::from(MAX_LOOPS);
        each(head.count() - MAX_LOOPS, count_entry, &mut entries);
    }
    GO_ON
}

#[repr(C)]
struct Entries<'a> {
    from: u64,
    head: Head,
    family: u64,
    reading: &'a mut Reading,
    records: &'a Records,
    order: &'a Orders,
}

extern "C" fn count_entry(at: u64, entries: &mut Entries<'_>) -> i64 {
    if let Some(found) = entry(
        entries.order,
        entries.head.place((entries.from + at) as u32),
    ) && let Some(record) = entries.records.get(found.id())
        && is_live(record)
        && record.created == found.created()
        && u64::from(record.family) == entries.family
    {
        entries.reading.attached += 1;
    }
    GO_ON
}
