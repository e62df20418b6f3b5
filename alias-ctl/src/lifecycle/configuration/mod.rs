//! The saved configuration, applied.
//!
//! ```text
//! file -> declaration ┐
//!                     ├─> plan (model, pure) -> execute, with undo
//! kernel -> observed  ┘
//! ```
//!
//! Everything is read, looked up and planned before anything is touched, under one
//! lock. What a configuration made carries a mark (`Record::DECLARED`), and only
//! that is changed or deleted.

pub mod execute;
pub mod observe;
mod parents;
pub mod prepared;
pub mod restore;
pub mod text;
pub mod undo;
