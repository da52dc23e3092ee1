//! The admin interface: what it costs to be asked, by whom it may be, and what becomes of those who
//! ask for more than they take.

mod access;
mod bounds;
mod crowd;
mod names;
mod pages;

use super::harness::Agent;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection on which somebody says this.
fn say(agent: &Agent, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect((agent.ip, 7652)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may have been closed by now.
    let _ = stream.write_all(text.as_bytes());
    stream
}

/// Head and body of an answer on a connection of its own.
fn answer(agent: &Agent, request: &str) -> (String, String) {
    let mut text = String::new();
    say(agent, request)
        .read_to_string(&mut text)
        .expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// The status of an answer.
fn status(head: &str) -> u16 {
    let code = head.split(' ').nth(1).expect("a status line");
    code.parse().unwrap()
}
