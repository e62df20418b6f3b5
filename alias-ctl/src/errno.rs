//! The names and the texts of errno values.

use std::io;

/// The text of strerror(3) for `errno`, for example "No such device".
pub fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Generates [`errno_name`] so that name and value cannot differ.
macro_rules! errno_names {
    ($($name:ident)*) => {
        /// The symbolic name of `errno`, for example "ENODEV"; "unknown errno" for a
        /// value that Linux does not define. Source: errno(3).
        pub fn errno_name(errno: i32) -> &'static str {
            match errno {
                $(libc::$name => stringify!($name),)*
                // The kernel's own, never meant for userspace but seen from netlink.
                524 => "ENOTSUPP",
                _ => "unknown errno",
            }
        }
    };
}

// EWOULDBLOCK, EDEADLOCK and ENOTSUP are other spellings of values listed here.
errno_names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR
    EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK
    EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC
    ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ
    EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT
    EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET
    ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH
    EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM
    EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE
    ERFKILL EHWPOISON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defined_errno_has_a_name() {
        // 41 and 58 are the holes of the generic Linux table; 133 is its last.
        for errno in (1..=133).filter(|errno| ![41, 58].contains(errno)) {
            assert_ne!(errno_name(errno), "unknown errno", "{errno}");
        }
        assert_eq!(errno_name(libc::ENODEV), "ENODEV");
        assert_eq!(errno_name(9999), "unknown errno");
    }

    #[test]
    fn text_has_no_number() {
        assert_eq!(errno_text(libc::ENODEV), "No such device");
    }
}
