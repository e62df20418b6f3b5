//! For tests: whether a structure of ours lies as the kernel's header has it.

/// Each field at the offset of its namesake in a structure of `linux/bpf.h`: `ours = theirs`.
macro_rules! same {
    ($own:ident, $kernel:ident: $($field:ident = $($theirs:ident).+),+ $(,)?) => {
        $(assert_eq!(
            std::mem::offset_of!($own, $field),
            std::mem::offset_of!($kernel, $($theirs).+),
            "{}.{}", stringify!($own), stringify!($field)
        );)+
        assert!(size_of::<$own>() <= size_of::<$kernel>());
    };
}

pub(in crate::dataplane) use same;
