//! What goes over the wire, and what is made of the answers, with a scripted server.

mod addresses;
mod downloads;
mod messages;
mod regions;
mod uploads;
mod waits;
