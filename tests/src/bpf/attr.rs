//! The parts of `union bpf_attr` that are used here: one structure for a command,
//! as far as it is filled in. The kernel takes what is not sent as zeros.

/// BPF_MAP_CREATE.
#[repr(C)]
pub(super) struct MapCreateAttr {
    pub(super) map_type: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) map_flags: u32,
}

/// BPF_MAP_LOOKUP_ELEM and BPF_MAP_UPDATE_ELEM.
#[repr(C)]
pub(super) struct ElementAttr {
    pub(super) map_fd: u32,
    pub(super) padding: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
}

/// BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
pub(super) struct LoadAttr {
    pub(super) prog_type: u32,
    pub(super) insn_cnt: u32,
    pub(super) insns: u64,
    pub(super) license: u64,
    pub(super) log_level: u32,
    pub(super) log_size: u32,
    pub(super) log_buf: u64,
    pub(super) kern_version: u32,
    pub(super) prog_flags: u32,
    pub(super) prog_name: [u8; 16],
    pub(super) prog_ifindex: u32,
    pub(super) expected_attach_type: u32,
}

/// BPF_OBJ_PIN and BPF_OBJ_GET.
#[repr(C)]
pub(super) struct ObjectAttr {
    pub(super) pathname: u64,
    pub(super) bpf_fd: u32,
    pub(super) file_flags: u32,
}

/// BPF_PROG_DETACH.
#[repr(C)]
pub(super) struct ProgDetachAttr {
    pub(super) target_ifindex: u32,
    pub(super) attach_bpf_fd: u32,
    pub(super) attach_type: u32,
    pub(super) attach_flags: u32,
}

/// BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
pub(super) struct TestRunAttr {
    pub(super) prog_fd: u32,
    pub(super) retval: u32,
    pub(super) data_size_in: u32,
    pub(super) data_size_out: u32,
    pub(super) data_in: u64,
    pub(super) data_out: u64,
    pub(super) repeat: u32,
    pub(super) duration: u32,
    pub(super) ctx_size_in: u32,
    pub(super) ctx_size_out: u32,
    pub(super) ctx_in: u64,
    pub(super) ctx_out: u64,
    pub(super) flags: u32,
    pub(super) cpu: u32,
    pub(super) batch_size: u32,
    pub(super) padding: u32,
}

/// BPF_LINK_GET_FD_BY_ID.
#[repr(C)]
pub(super) struct IdAttr {
    pub(super) id: u32,
    pub(super) next_id: u32,
    pub(super) open_flags: u32,
}

/// BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
pub(super) struct InfoAttr {
    pub(super) bpf_fd: u32,
    pub(super) info_len: u32,
    pub(super) info: u64,
}

/// BPF_PROG_QUERY.
#[repr(C)]
pub(super) struct QueryAttr {
    pub(super) target_ifindex: u32,
    pub(super) attach_type: u32,
    pub(super) query_flags: u32,
    pub(super) attach_flags: u32,
    pub(super) prog_ids: u64,
    pub(super) count: u32,
    pub(super) padding: u32,
}

/// BPF_LINK_CREATE.
#[repr(C)]
pub(super) struct LinkCreateAttr {
    pub(super) prog_fd: u32,
    pub(super) target_ifindex: u32,
    pub(super) attach_type: u32,
    pub(super) flags: u32,
}

/// BPF_LINK_DETACH.
#[repr(C)]
pub(super) struct LinkDetachAttr {
    pub(super) link_fd: u32,
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use aya_obj::generated::bpf_attr;

    use super::*;

    /// Each field lies where the kernel's header has it: `ours = theirs`.
    macro_rules! same {
        ($own:ident: $($field:ident = $($theirs:ident).+),+ $(,)?) => {
            $(assert_eq!(
                offset_of!($own, $field),
                offset_of!(bpf_attr, $($theirs).+),
                "{}.{}", stringify!($own), stringify!($field)
            );)+
            assert!(size_of::<$own>() <= size_of::<bpf_attr>());
        };
    }

    #[test]
    fn maps() {
        same!(MapCreateAttr:
            map_type = __bindgen_anon_1.map_type,
            key_size = __bindgen_anon_1.key_size,
            value_size = __bindgen_anon_1.value_size,
            max_entries = __bindgen_anon_1.max_entries,
            map_flags = __bindgen_anon_1.map_flags,
        );
        same!(ElementAttr:
            map_fd = __bindgen_anon_2.map_fd,
            key = __bindgen_anon_2.key,
            value = __bindgen_anon_2.__bindgen_anon_1.value,
            flags = __bindgen_anon_2.flags,
        );
    }

    #[test]
    fn programs() {
        same!(LoadAttr:
            prog_type = __bindgen_anon_3.prog_type,
            insn_cnt = __bindgen_anon_3.insn_cnt,
            insns = __bindgen_anon_3.insns,
            license = __bindgen_anon_3.license,
            log_level = __bindgen_anon_3.log_level,
            log_size = __bindgen_anon_3.log_size,
            log_buf = __bindgen_anon_3.log_buf,
            kern_version = __bindgen_anon_3.kern_version,
            prog_flags = __bindgen_anon_3.prog_flags,
            prog_name = __bindgen_anon_3.prog_name,
            prog_ifindex = __bindgen_anon_3.prog_ifindex,
            expected_attach_type = __bindgen_anon_3.expected_attach_type,
        );
        same!(TestRunAttr:
            prog_fd = test.prog_fd,
            retval = test.retval,
            data_size_in = test.data_size_in,
            data_size_out = test.data_size_out,
            data_in = test.data_in,
            data_out = test.data_out,
            repeat = test.repeat,
            duration = test.duration,
            ctx_size_in = test.ctx_size_in,
            ctx_size_out = test.ctx_size_out,
            ctx_in = test.ctx_in,
            ctx_out = test.ctx_out,
            flags = test.flags,
            cpu = test.cpu,
            batch_size = test.batch_size,
        );
    }

    #[test]
    fn objects() {
        same!(ObjectAttr:
            pathname = __bindgen_anon_4.pathname,
            bpf_fd = __bindgen_anon_4.bpf_fd,
            file_flags = __bindgen_anon_4.file_flags,
        );
        same!(IdAttr:
            id = __bindgen_anon_6.__bindgen_anon_1.link_id,
            next_id = __bindgen_anon_6.next_id,
            open_flags = __bindgen_anon_6.open_flags,
        );
        same!(InfoAttr:
            bpf_fd = info.bpf_fd,
            info_len = info.info_len,
            info = info.info,
        );
    }

    #[test]
    fn attachments() {
        same!(ProgDetachAttr:
            target_ifindex = __bindgen_anon_5.__bindgen_anon_1.target_ifindex,
            attach_bpf_fd = __bindgen_anon_5.attach_bpf_fd,
            attach_type = __bindgen_anon_5.attach_type,
            attach_flags = __bindgen_anon_5.attach_flags,
        );
        same!(QueryAttr:
            target_ifindex = query.__bindgen_anon_1.target_ifindex,
            attach_type = query.attach_type,
            query_flags = query.query_flags,
            attach_flags = query.attach_flags,
            prog_ids = query.prog_ids,
            count = query.__bindgen_anon_2.count,
        );
        same!(LinkCreateAttr:
            prog_fd = link_create.__bindgen_anon_1.prog_fd,
            target_ifindex = link_create.__bindgen_anon_2.target_ifindex,
            attach_type = link_create.attach_type,
            flags = link_create.flags,
        );
        same!(LinkDetachAttr: link_fd = link_detach.link_fd);
    }
}
