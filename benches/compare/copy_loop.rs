//! Copies a file over HTTP by ranges and does nothing else: no checks, no checksum, no sync. How near
//! an export comes to it says what all of those cost.
//!
//! `copy-loop http://127.0.0.1:PORT/path OUT`

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 2;
const RANGE: u64 = 8 << 20;
const BUFFER: usize = 1 << 20;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, out] = arguments.as_slice() else {
        return Err("usage: copy-loop http://HOST:PORT/path OUT".into());
    };
    let (host, path) = split(url).ok_or("the URL must be http://HOST:PORT/path")?;
    let file = File::create(out).map_err(|error| format!("{out} cannot be made: {error}"))?;
    let length = Connection::open(host, path)?.length()?;
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let copiers: Vec<_> = (0..CONNECTIONS)
            .map(|_| scope.spawn(|| copy(Connection::open(host, path)?, &next, length, &file)))
            .collect();
        copiers
            .into_iter()
            .try_for_each(|copier| copier.join().map_err(|_| "a copier panicked")?)
    })
}

/// Host with port, and path with query.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    Some(rest.split_at(rest.find('/')?))
}

/// Takes one range after the other, until there is none left.
fn copy(mut connection: Connection<'_>, next: &AtomicU64, length: u64, file: &File) -> Outcome<()> {
    loop {
        let first = next.fetch_add(RANGE, Ordering::Relaxed);
        if first >= length {
            return Ok(());
        }
        connection.fetch(first, (first + RANGE).min(length), file)?;
    }
}

struct Connection<'a> {
    host: &'a str,
    path: &'a str,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a reply's head says, and how much of the body stands in the buffer already.
struct Reply {
    content_range: String,
    body_at: usize,
    filled: usize,
}

impl<'a> Connection<'a> {
    fn open(host: &'a str, path: &'a str) -> Outcome<Self> {
        let stream = TcpStream::connect(host)
            .map_err(|error| format!("no connection to {host} could be made: {error}"))?;
        Ok(Self {
            host,
            path,
            stream,
            buffer: vec![0; BUFFER],
        })
    }

    /// How long the file is. The connection is not to be used again: a byte may be left on it.
    fn length(mut self) -> Outcome<u64> {
        let reply = self.ask(0, 1)?;
        let (_, length) = reply
            .content_range
            .rsplit_once('/')
            .ok_or("the server's Content-Range has no length")?;
        Ok(length.parse()?)
    }

    /// Copies the bytes from `first` to before `end` to where they belong.
    fn fetch(&mut self, first: u64, end: u64, file: &File) -> Outcome<()> {
        let reply = self.ask(first, end)?;
        let mut at = first;
        let mut chunk = reply.body_at..reply.filled;
        loop {
            file.write_all_at(&self.buffer[chunk.clone()], at)?;
            at += chunk.len() as u64;
            if at >= end {
                return Ok(());
            }
            chunk = 0..self.read(0)?;
        }
    }

    fn ask(&mut self, first: u64, end: u64) -> Outcome<Reply> {
        let (host, path, last) = (self.host, self.path, end - 1);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={first}-{last}\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        let body_at = loop {
            filled += self.read(filled)?;
            let ending = b"\r\n\r\n";
            let found = self.buffer[..filled]
                .windows(ending.len())
                .position(|window| window == ending);
            if let Some(head) = found {
                break head + ending.len();
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..body_at]);
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 206 ") {
            return Err(
                format!("the server must answer ranges with 206, but said: {status}").into(),
            );
        }
        let content_range = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-range"))
            .map(|(_, value)| value.trim().to_owned())
            .ok_or("the server's reply has no Content-Range")?;
        Ok(Reply {
            content_range,
            body_at,
            filled,
        })
    }

    /// Reads into the buffer behind its first `filled` bytes; the end of the stream is an error.
    fn read(&mut self, filled: usize) -> Outcome<usize> {
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err("the server closed the connection in the middle of a reply".into()),
            count => Ok(count),
        }
    }
}
