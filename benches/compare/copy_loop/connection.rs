//! As much of HTTP/1.1 as a copy needs.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Outcome;

const BUFFER: usize = 1 << 20;

/// An HTTP address: host with port, and path with query.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl<'a> Address<'a> {
    pub(crate) fn parse(url: &'a str) -> Outcome<Self> {
        url.strip_prefix("http://")
            .and_then(|rest| rest.split_at_checked(rest.find('/')?))
            .map(|(host, path)| Self { host, path })
            .ok_or_else(|| format!("{url} must be http://HOST:PORT/path").into())
    }
}

/// A connection for one request after another.
pub(crate) struct Connection<'a> {
    host: &'a str,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A reply's head, and where the part of the body that is already in the buffer starts and ends.
pub(crate) struct Reply {
    head: String,
    body_at: usize,
    filled: usize,
}

impl<'a> Connection<'a> {
    pub(crate) fn open(host: &'a str) -> Outcome<Self> {
        let stream = TcpStream::connect(host)
            .map_err(|error| format!("no connection to {host} could be made: {error}"))?;
        Ok(Self {
            host,
            stream,
            buffer: vec![0; BUFFER],
        })
    }

    /// Returns the file's length. Consumes the connection, since a byte may be left on it.
    pub(crate) fn length(mut self, path: &str) -> Outcome<u64> {
        let reply = self.ask(path, 0, 1)?;
        let (_, length) = reply
            .header("content-range")
            .and_then(|range| range.rsplit_once('/'))
            .ok_or("the server's Content-Range has no length")?;
        Ok(length.parse()?)
    }

    /// Passes the bytes from `first` to before `end` to `take`, as they arrive.
    pub(crate) fn fetch(
        &mut self,
        path: &str,
        first: u64,
        end: u64,
        mut take: impl FnMut(&[u8]) -> Outcome<()>,
    ) -> Outcome<()> {
        let reply = self.ask(path, first, end)?;
        let mut left = end - first;
        let mut chunk = reply.body_at..reply.filled;
        loop {
            take(&self.buffer[chunk.clone()])?;
            left = left.saturating_sub(chunk.len() as u64);
            if left == 0 {
                return Ok(());
            }
            chunk = 0..self.read(0)?;
        }
    }

    fn ask(&mut self, path: &str, first: u64, end: u64) -> Outcome<Reply> {
        let range = format!("Range: bytes={first}-{}\r\n", end - 1);
        self.request("GET", path, &range, &[], "206")
    }

    /// Sends a request with a body, and returns the reply's head and body, which must be small.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Outcome<(Reply, String)> {
        let length = format!("Content-Length: {}\r\n", body.len());
        let mut reply = self.request(method, path, &length, body, "200")?;
        let length: usize = reply
            .header("content-length")
            .ok_or("the server's reply has no Content-Length")?
            .parse()?;
        let end = reply.body_at + length;
        while reply.filled < end {
            reply.filled += self.read(reply.filled)?;
        }
        let body = String::from_utf8_lossy(&self.buffer[reply.body_at..end]).into_owned();
        Ok((reply, body))
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        header: &str,
        body: &[u8],
        expected: &str,
    ) -> Outcome<Reply> {
        let host = self.host;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n");
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(body)?;
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
        let head = String::from_utf8_lossy(&self.buffer[..body_at]).into_owned();
        let status = head.lines().next().unwrap_or_default();
        if status.split(' ').nth(1) != Some(expected) {
            let message = format!("{method} must be answered with {expected}, but was: {status}");
            return Err(message.into());
        }
        Ok(Reply {
            head,
            body_at,
            filled,
        })
    }

    /// Reads into the buffer after its first `filled` bytes. The end of the stream is an error.
    fn read(&mut self, filled: usize) -> Outcome<usize> {
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err("the server closed the connection in the middle of a reply".into()),
            count => Ok(count),
        }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}
