//! The program as a whole: started, used over HTTP, stopped, and started again.

#![cfg(test)]

mod bucket;
mod commands;
mod configuration;
mod site;
mod stopping;
mod storage;
