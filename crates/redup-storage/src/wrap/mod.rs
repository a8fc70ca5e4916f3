//! Stores around a store. Each adds one behaviour and passes everything else through.

mod confirm;
mod fault;
mod interruptible;
mod record;
mod retry;

pub use confirm::Confirm;
pub use fault::{Action, Fault, FaultRule, When};
pub use interruptible::Interruptible;
pub use record::{Call, Record};
pub use retry::{Retry, RetryEvent, RetryPolicy};
