//! The Assuan protocol: lines of at most 1000 octets, commands one way, `OK`, `ERR`, `D`, `S` and `INQUIRE` the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The longest line, its end not counted.
const MAX_LINE: u64 = 1000;

/// Octets of data in one line we send: each may take three.
const DATA_STEP: usize = 300;

/// The longest answer accepted; a signature or session key takes some hundred octets.
const MAX_ANSWER: usize = 1 << 16;

/// The code, less its source, of "no secret key".
const NO_SECRET_KEY: u32 = 17;

/// A conversation with an agent that has greeted.
pub(super) struct Connection<S = UnixStream> {
    stream: BufReader<S>,
}

/// An agent's answer to a command.
pub(super) struct Answer {
    pub(super) data: Zeroizing<Vec<u8>>,
    /// Status lines, without the `S`.
    pub(super) status: Vec<String>,
}

/// What an agent says no with.
#[derive(Debug)]
struct Refusal {
    code: u32,
    text: String,
}

enum Line {
    Ok,
    Refused(Refusal),
    Data(Zeroizing<Vec<u8>>),
    Status(String),
    Inquire(String),
    Other,
}

impl<S: Read + Write> Connection<S> {
    /// Waits for the greeting.
    pub(super) fn open(stream: S) -> Result<Self> {
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        connection
            .finish("greeting", &mut |_| None)?
            .map_err(|refusal| refusal.into_error("greeting"))?;
        Ok(connection)
    }

    /// Sends a command; `inquire` gives the data the agent asks for by keyword, `None` to cancel.
    pub(super) fn ask(
        &mut self,
        command: &str,
        inquire: &mut dyn FnMut(&str) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Answer> {
        self.send(command.as_bytes())?;
        self.finish(command, inquire)?
            .map_err(|refusal| refusal.into_error(command))
    }

    /// Sends a command that is answered by `OK`, or by "no secret key".
    pub(super) fn ask_bool(&mut self, command: &str) -> Result<bool> {
        self.send(command.as_bytes())?;
        match self.finish(command, &mut |_| None)? {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.code & 0xFFFF == NO_SECRET_KEY => Ok(false),
            Err(refusal) => Err(refusal.into_error(command)),
        }
    }

    fn finish(
        &mut self,
        command: &str,
        inquire: &mut dyn FnMut(&str) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<std::result::Result<Answer, Refusal>> {
        let mut answer = Answer {
            data: Zeroizing::default(),
            status: Vec::new(),
        };
        loop {
            match self.receive()? {
                Line::Ok => return Ok(Ok(answer)),
                Line::Refused(refusal) => return Ok(Err(refusal)),
                Line::Data(data) => answer.data.extend_from_slice(&data),
                Line::Status(status) => answer.status.push(status),
                Line::Inquire(keyword) => match inquire(&keyword) {
                    Some(data) => self.send_data(&data)?,
                    None => self.send(b"CAN")?,
                },
                Line::Other => {}
            }
            if answer.data.len() > MAX_ANSWER || answer.status.len() > MAX_ANSWER {
                return Err(Error::Agent {
                    what: format!("too long an answer to {}", verb(command)),
                    source: None,
                });
            }
        }
    }

    fn receive(&mut self) -> Result<Line> {
        let mut line = Zeroizing::new(Vec::new());
        self.stream
            .by_ref()
            .take(MAX_LINE + 2)
            .read_until(b'\n', &mut line)
            .map_err(lost)?;
        if line.pop() != Some(b'\n') {
            return Err(Error::Agent {
                what: "the connection ended".into(),
                source: None,
            });
        }
        let (word, rest) = match line.iter().position(|octet| *octet == b' ') {
            Some(space) => (&line[..space], &line[space + 1..]),
            None => (&line[..], &[][..]),
        };
        let text = || String::from_utf8_lossy(rest).into_owned();
        Ok(match word {
            b"OK" => Line::Ok,
            b"ERR" => Line::Refused(Refusal::parse(&text())),
            b"D" => Line::Data(unescape(rest)),
            b"S" => Line::Status(text()),
            b"INQUIRE" => Line::Inquire(text().split(' ').next().unwrap_or_default().to_owned()),
            _ => Line::Other,
        })
    }

    fn send_data(&mut self, data: &[u8]) -> Result<()> {
        for step in data.chunks(DATA_STEP) {
            let mut line = Zeroizing::new(b"D ".to_vec());
            for octet in step {
                match octet {
                    b'%' | b'\r' | b'\n' => {
                        line.extend_from_slice(format!("%{octet:02X}").as_bytes());
                    }
                    octet => line.push(*octet),
                }
            }
            self.send(&line)?;
        }
        self.send(b"END")
    }

    fn send(&mut self, line: &[u8]) -> Result<()> {
        let line = Zeroizing::new([line, b"\n"].concat());
        self.stream.get_mut().write_all(&line).map_err(lost)
    }
}

impl Refusal {
    /// From `CODE DESCRIPTION <SOURCE>`.
    fn parse(text: &str) -> Self {
        let (code, description) = text.split_once(' ').unwrap_or((text, "refused"));
        let description = description.split(" <").next().unwrap_or(description);
        let printable = description.chars().filter(|c| !c.is_control()).collect();
        Self {
            code: code.parse().unwrap_or_default(),
            text: printable,
        }
    }

    fn into_error(self, command: &str) -> Error {
        Error::Agent {
            what: format!("{} failed: {}", verb(command), self.text),
            source: None,
        }
    }
}

/// A command without its arguments, which are nobody's business.
fn verb(command: &str) -> &str {
    command.split(' ').next().unwrap_or(command)
}

fn lost(error: std::io::Error) -> Error {
    Error::Agent {
        what: "the connection failed".into(),
        source: Some(error),
    }
}

fn unescape(data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
    let mut rest = data;
    while let Some((&octet, after)) = rest.split_first() {
        let escaped = (octet == b'%').then(|| after.get(..2)).flatten();
        let escaped =
            escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped {
            Some(value) => {
                out.push(value);
                rest = &after[2..];
            }
            None => {
                out.push(octet);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// An agent that says what it was told to, and remembers what it heard.
    struct Script {
        says: io::Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.says.read(buf)
        }
    }

    impl Write for Script {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.heard.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn script(says: &[u8]) -> Result<Connection<Script>> {
        Connection::open(Script {
            says: io::Cursor::new(says.to_vec()),
            heard: Vec::new(),
        })
    }

    #[test]
    fn data_are_escaped_both_ways_and_inquiries_answered() {
        let mut agent =
            script(b"OK hello\nS PROGRESS\nINQUIRE PASSPHRASE 255\nD a%25b%0A\nD c\nOK\n").unwrap();
        let answer = agent
            .ask("PKDECRYPT", &mut |what| {
                (what == "PASSPHRASE").then(|| Zeroizing::new(b"100%\n".to_vec()))
            })
            .unwrap();
        assert_eq!(&answer.data[..], b"a%b\nc");
        assert_eq!(answer.status, ["PROGRESS"]);
        assert_eq!(
            agent.stream.get_ref().heard,
            b"PKDECRYPT\nD 100%25%0A\nEND\n"
        );
    }

    #[test]
    fn no_secret_key_is_an_answer_and_other_refusals_are_errors() {
        let mut agent = script(b"OK\nERR 67108881 No secret key <GPG Agent>\n").unwrap();
        assert!(!agent.ask_bool("HAVEKEY 00").unwrap());
        let mut agent = script(b"OK\nERR 67108875 Bad passphrase <GPG Agent>\n").unwrap();
        let error = agent.ask("PKSIGN --secret", &mut |_| None).err().unwrap();
        assert_eq!(
            error.to_string(),
            "gpg-agent: PKSIGN failed: Bad passphrase"
        );
    }

    #[test]
    fn a_lost_or_endless_agent_is_an_error() {
        assert!(script(b"").is_err());
        assert!(script(b"OK").is_err());
        assert!(script(&[b'x'; 5000]).is_err());
        let mut endless = b"OK\n".to_vec();
        for _ in 0..200 {
            endless.extend([&b"D "[..], &[b'x'; 900], b"\n"].concat());
        }
        assert!(
            script(&endless)
                .unwrap()
                .ask("PKSIGN", &mut |_| None)
                .is_err()
        );
    }
}
