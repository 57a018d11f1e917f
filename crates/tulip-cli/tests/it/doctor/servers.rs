//! Servers that are not Tulip.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// Answers every connection with `answer`, after the head of its request or as soon as a TLS
/// handshake begins, until the process ends.
pub(super) fn answering(answer: &'static str) -> SocketAddr {
    serving(move |mut socket| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && head.first() != Some(&HANDSHAKE) {
            match socket.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let _ = socket.write_all(answer.as_bytes());
    })
}

/// Accepts connections and sends nothing until the client closes them.
pub(super) fn silent() -> SocketAddr {
    serving(|mut socket| {
        let _ = socket.read_to_end(&mut Vec::new());
    })
}

fn serving(serve: impl Fn(std::net::TcpStream) + Send + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(socket));
        }
    });
    address
}
