//! The state of `top`, apart from where it is read and how it is drawn: samples to rates
//! ([`table`]), which of them are shown ([`filter`]) and in what order ([`order`]), what
//! keys do ([`view`]), when to read again ([`pace`]), and what is on the screen ([`frame`]).

pub mod filter;
pub mod frame;
pub mod order;
pub mod pace;
pub mod table;
pub mod view;
