//! The engine from outside: whole runs over stores in memory.

mod damage;
mod history;
mod restart;
mod world;
