//! What goes over the wire, and what is made of the answers, with a scripted server.

mod addresses;
mod backslashes;
mod downloads;
mod messages;
mod refusals;
mod regions;
mod thaws;
mod uploads;
mod waits;
